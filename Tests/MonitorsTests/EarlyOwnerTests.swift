import Model
import Netfilter
import Testing

@testable import Monitors

/// What was seen of a new flow decides when no tick meets its socket.
@Suite struct EarlyOwnerTests {
  private static func seen(
    _ host: Scenario, _ pid: Int32, isClient: Bool = true, _ match: Certainty.Match = .exact,
    hasAddress: Bool = false
  ) -> [EarlyOwner] {
    host.flows.map {
      EarlyOwner(
        flow: $0.identity, isClient: isClient, process: Scenario.process(pid),
        certainty: Certainty(match: match), hasAddress: hasAddress)
    }
  }

  private static func ping(_ host: inout Scenario, _ bytes: UInt64, from source: String = "10.0.0.1:77") {
    let (other, here) = source == "10.0.0.1:77" ? ("192.0.2.9", "10.0.0.1") : ("10.0.0.1", "192.0.2.9")
    host.flow(1, .icmp, source, "\(other):2048", reply: ("\(other):77", "\(here):0"), bytes: (bytes, bytes))
  }

  @Test(arguments: [Certainty.Match.exact, .relaxed])
  func `who pinged and is gone has its bytes, as sure as it was seen`(match: Certainty.Match) {
    var host = Scenario()
    Self.ping(&host, 84)
    host.earlyOwners = Self.seen(host, 7, match)
    let tick = host.tick()
    #expect(tick.owners == [.pid(7): Usage(84, 84)])
    #expect(tick.readings.map(\.certainty.match) == [match])
  }

  @Test(arguments: [[Int32(4)], [4, 5]])
  func `raw sockets that others have now prove nothing of a ping`(pids: [Int32]) {
    var host = Scenario()
    for pid in pids { host.socket(.icmp, "*:0", heldBy: pid) }
    Self.ping(&host, 84)
    host.earlyOwners = Self.seen(host, 7, .relaxed)
    #expect(host.tick().owners == [.pid(7): Usage(84, 84)])
  }

  @Test func `two who hold raw sockets are nobody, also when one was the only one before`() {
    var host = Scenario()
    host.socket(.icmp, "*:0", heldBy: 7)
    Self.ping(&host, 84)
    host.earlyOwners = Self.seen(host, 7, .relaxed)
    #expect(host.tick().owners == [.pid(7): Usage(84, 84)])
    host.socket(.icmp, "*:0", heldBy: 8)
    Self.ping(&host, 100)
    #expect(host.tick().owners == [.unattributed(.ambiguous): Usage(16, 16)])
  }

  @Test func `a raw protocol without identifiers is whoever's has the socket now`() {
    var host = Scenario()
    let ospf = TransportProtocol(rawValue: 89)
    host.socket(ospf, "*:0", heldBy: 8)
    host.flow(1, ospf, "10.0.0.1:0", "192.0.2.9:0", bytes: (10, 0))
    host.earlyOwners = Self.seen(host, 7, .relaxed)
    #expect(host.tick().owners == [.pid(8): Usage(0, 10)])
  }

  @Test(
    arguments: [
      ("*:53", nil, .relaxed), ("10.0.0.1:53", nil, .relaxed), ("*:53", 7, .exact),
      ("10.0.0.1:53", 7, .exact),
    ] as [(String, Int32?, Certainty.Match)])
  func `who alone is bound to a port is exact only if seen when the flow began`(
    bound: String, seen: Int32?, match: Certainty.Match
  ) {
    var host = Scenario()
    host.socket(.udp, bound, heldBy: 7)
    host.flow(1, .udp, "192.0.2.9:4000", "10.0.0.1:53", bytes: (60, 90))
    if let seen { host.earlyOwners = Self.seen(host, seen, isClient: false) }
    let first = host.tick()
    #expect(first.owners == [.pid(7): Usage(60, 90)])
    host.flow(1, .udp, "192.0.2.9:4000", "10.0.0.1:53", bytes: (70, 90))
    // It stays what it was.
    for tick in [first, host.tick()] { #expect(tick.readings.map(\.certainty.match) == [match]) }
  }

  @Test func `a connected socket is exact whenever it is found`() {
    var host = Scenario()
    host.socket(.udp, "10.0.0.1:4000", "192.0.2.9:53", heldBy: 7)
    host.flow(1, .udp, "10.0.0.1:4000", "192.0.2.9:53", bytes: (60, 90))
    #expect(host.tick().readings.map(\.certainty.match) == [.exact])
  }

  @Test func `a peer who uses the port of our unbound socket is still a peer`() {
    var host = Scenario()
    host.socket(.udp, "*:123", heldBy: 7)
    host.flow(1, .udp, "192.0.2.9:123", "10.0.0.1:123", bytes: (76, 90))
    host.earlyOwners = Self.seen(host, 7) + Self.seen(host, 7, isClient: false)
    #expect(host.tick().owners == [.pid(7): Usage(76, 90)])
  }

  @Test func `another host's ping is answered by the kernel, whoever has a raw socket here`() {
    var host = Scenario()
    host.socket(.icmp, "*:0", heldBy: 7)
    Self.ping(&host, 84, from: "192.0.2.9:77")
    host.earlyOwners = Self.seen(host, 7, .relaxed)
    #expect(host.tick().owners == [.kernel: Usage(84, 84)])
  }

  /// The second has the identifier of the first, and both were seen before the table was read.
  @Test func `two connections of the same ends are two owners'`() {
    var host = Scenario()
    host.flow(1, .tcp, "10.0.0.1:4000", "192.0.2.9:80", bytes: (100, 50))
    host.earlyOwners = Self.seen(host, 7, hasAddress: true)
    host.ended = host.flows
    host.flows[0].generation = 1
    host.flows[0].counters = FlowCounters(originalBytes: 9, replyBytes: 8)
    host.earlyOwners += Self.seen(host, 8, hasAddress: true)
    #expect(host.tick().owners == [.pid(7): Usage(50, 100), .pid(8): Usage(8, 9)])
    host.flows[0].counters.originalBytes += 5
    #expect(host.tick().owners == [.pid(8): Usage(0, 5)])
  }

  @Test(arguments: [
    // What the dead one's peer still sends comes to its end.
    (TransportProtocol.udp, UInt64(0), UInt64(7), Owner.pid(7)),
    (.udp, 7, 0, .unattributed(.exited)), (.udp, 7, 7, .unattributed(.exited)),
    // The kernel sends for a process that has ended.
    (.tcp, 7, 7, .pid(7)),
  ])
  func `who had ended before has sent no datagram since`(
    transport: TransportProtocol, sent: UInt64, received: UInt64, owner: Owner
  ) {
    var host = Scenario()
    host.flow(1, transport, "10.0.0.1:4000", "192.0.2.9:53", bytes: (60, 90))
    host.earlyOwners = Self.seen(host, 7, hasAddress: true)
    #expect(host.tick().owners == [.pid(7): Usage(90, 60)])
    // It may have sent that before it ended.
    host.flow(1, transport, "10.0.0.1:4000", "192.0.2.9:53", bytes: (100, 100))
    #expect(host.tick().owners == [.pid(7): Usage(10, 40)])
    host.retire(7)
    host.flow(1, transport, "10.0.0.1:4000", "192.0.2.9:53", bytes: (100 + sent, 100 + received))
    #expect(host.tick().owners == [owner: Usage(received, sent)])
  }

  @Test func `owners of flows whose end was not reported are forgotten, no others`() {
    var host = Scenario()
    host.flow(1, .tcp, "10.0.0.1:4000", "192.0.2.9:80", bytes: (10, 10))
    host.earlyOwners = Self.seen(host, 7, hasAddress: true)
    #expect(host.tick().owners == [.pid(7): Usage(10, 10)])
    let kept = host.flows
    for round in UInt16(0)..<4 {
      host.flows = []
      for port in 1...UInt16(1_000) {
        host.flow(
          UInt32(port) + 1, .tcp, "10.0.0.1:\(port + round * 1_000)", "192.0.2.9:81", bytes: (10, 10))
      }
      host.earlyOwners = Self.seen(host, 8, hasAddress: true)
      host.flows = kept
      _ = host.tick()
    }
    #expect(host.remembered < 2_500)
    host.flows[0].counters.originalBytes += 5
    #expect(host.tick().owners == [.pid(7): Usage(0, 5)])
  }

  @Test func `a socket with the end's own address is ours, though no interface has it`() {
    var host = Scenario()
    host.flow(1, .tcp, "192.0.2.9:5555", "198.51.100.7:80", bytes: (10, 20))
    host.earlyOwners = Self.seen(host, 7, isClient: false, hasAddress: true)
    #expect(host.tick().owners == [.pid(7): Usage(10, 20)])
  }
}
