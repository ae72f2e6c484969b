import Model
import SystemRuntime
import Netfilter
import Testing

@testable import Monitors

/// Payload instead of packets.
@Suite struct PacketHeadersTests {
  private static func flow(
    _ transport: TransportProtocol, v6: Bool = false, bytes: (UInt64, UInt64), packets: (UInt64, UInt64)
  ) -> Flow {
    let client = Scenario.endpoint(v6 ? "[2001:db8::1]:4000" : "10.0.0.1:4000")
    let server = Scenario.endpoint(v6 ? "[2001:db8::2]:80" : "10.0.0.2:80")
    return Flow(
      id: 1, original: FlowTuple(source: client, destination: server, transport: transport),
      reply: FlowTuple(source: server, destination: client, transport: transport),
      counters: FlowCounters(
        originalBytes: bytes.0, replyBytes: bytes.1, originalPackets: packets.0, replyPackets: packets.1))
  }

  /// What the accounting counts of a flow's readings, one after the other.
  private static func counted(_ readings: [Flow], layer: Layer = .payload) -> Usage {
    var accounting = Accounting(filters: [MonitorFilter()], layer: layer, seed: 5)
    var usage = Usage.zero
    for flow in readings {
      let moved = accounting.advance(to: FlowSnapshot(living: [flow]), at: .now)
      let local = LocalAddresses([Scenario.address("10.0.0.1"), Scenario.address("2001:db8::1")])
      let ends = accounting.ends(of: moved, sockets: SocketIndex([]), local: local)
      usage = ends.ends.reduce(usage) { $0 + $1.usage }
    }
    return usage
  }

  @Test(
    arguments: [
      (TransportProtocol.udp, false, 28), (.udp, true, 48), (.udpLite, false, 28), (.tcp, false, 52),
      (.tcp, true, 72), (.icmp, false, 20), (.icmpv6, true, 40), (.gre, false, 20), (.sctp, true, 40),
      (TransportProtocol(rawValue: 253), false, 20),
    ] as [(TransportProtocol, Bool, UInt64)])
  func `a packet's headers have this length`(transport: TransportProtocol, v6: Bool, length: UInt64) {
    #expect(
      PacketHeaders.length(of: Self.flow(transport, v6: v6, bytes: (0, 0), packets: (0, 0)).original)
        == length)
  }

  @Test(
    arguments: [
      // A5: 65,536 datagrams of 64 bytes.
      ("UDP", [flow(.udp, bytes: (6_029_312, 0), packets: (65_536, 0))], Usage(0, 4_194_304)),
      ("UDP over IPv6", [flow(.udp, v6: true, bytes: (1048, 48), packets: (1, 1))], Usage(0, 1000)),
      (
        "UDP bit by bit",
        [flow(.udp, bytes: (92, 28), packets: (1, 1)), flow(.udp, bytes: (276, 28), packets: (3, 1))],
        Usage(0, 192)
      ),
      // Handshake and 3 bulk packets, acknowledged.
      (
        "TCP", [flow(.tcp, bytes: (60 + 52 + 3 * 64_052, 60 + 4 * 52), packets: (5, 5))],
        Usage(8, 3 * 64_000 + 8)
      ),
      // Without timestamps 12 bytes too many are taken off, and never more than there are.
      (
        "TCP without timestamps",
        [flow(.tcp, bytes: (1040, 40), packets: (1, 1)), flow(.tcp, bytes: (1080, 4040), packets: (2, 101))],
        Usage(0, 988)
      ),
      ("ICMP", [flow(.icmp, bytes: (84, 84), packets: (1, 1))], Usage(64, 64)),
      ("hostile counters", [flow(.udp, bytes: (1000, 10), packets: (.max, 5))], .zero),
      ("packets that are not reported", [flow(.udp, bytes: (1000, 10), packets: (0, 0))], Usage(10, 1000)),
      (
        "a new flow of the tuple",
        [flow(.udp, bytes: (9028, 0), packets: (2, 0)), flow(.udp, bytes: (1028, 0), packets: (1, 0))],
        Usage(0, 9028 - 56 + 1000)
      ),
    ] as [(String, [Flow], Usage)])
  func `headers are not payload`(name: String, readings: [Flow], usage: Usage) {
    #expect(Self.counted(readings) == usage, "\(name)")
  }

  @Test func `at layer 3 packets count whole`() {
    #expect(Self.counted([Self.flow(.udp, bytes: (92, 120), packets: (1, 1))], layer: .l3) == Usage(120, 92))
  }

  @Test(
    arguments: [
      ("client here", true, false, Usage(7, 3)), ("server here", false, true, Usage(3, 7)),
      ("both: loopback", true, true, Usage(10, 10)), ("neither: passing", false, false, Usage(10, 10)),
    ] as [(String, Bool, Bool, Usage)])
  func `interfaces carry a flow's packets, headers and all`(
    name: String, isClientHere: Bool, isServerHere: Bool, carried: Usage
  ) throws {
    var ledger = FlowLedger(seed: 1)
    let flow = Self.flow(.udp, bytes: (3, 7), packets: (1, 1))
    var delta = try #require(ledger.advance(to: FlowSnapshot(living: [flow]), at: .now).deltas.first)
    (delta.originalHeaders, delta.replyHeaders) = (1, 1)
    #expect(delta.carried(isClientHere: isClientHere, isServerHere: isServerHere) == carried, "\(name)")
    #expect(delta.usage == Usage(6, 2))
  }

  /// A container's flow passes this namespace's interfaces twice, however its process is named.
  @Test(arguments: [
    ("10.0.0.1:4000", "192.0.2.9:443", Usage(20, 10)), ("192.0.2.9:4000", "10.0.0.1:443", Usage(10, 20)),
    ("127.0.0.1:4000", "127.0.0.1:443", Usage(30, 30)), ("172.30.0.2:4000", "192.0.2.9:443", Usage(30, 30)),
    ("172.30.0.2:4000", "10.0.0.1:443", Usage(10, 20)),
  ])
  func `one flowEnd of a flow says what was carried`(source: String, destination: String, carried: Usage) {
    var accounting = Accounting(filters: [MonitorFilter()], seed: 5)
    let flow = Flow(
      id: 1,
      original: FlowTuple(
        source: Scenario.endpoint(source), destination: Scenario.endpoint(destination), transport: .tcp),
      reply: FlowTuple(
        source: Scenario.endpoint(destination), destination: Scenario.endpoint(source), transport: .tcp),
      counters: FlowCounters(originalBytes: 10, replyBytes: 20))
    let moved = accounting.advance(to: FlowSnapshot(living: [flow]), at: .now)
    let ends = accounting.ends(
      of: moved, sockets: SocketIndex([]), local: LocalAddresses([Scenario.address("10.0.0.1")]),
      namespaces: NamespaceIndex([9: LocalAddresses([Scenario.address("172.30.0.2")])]))
    let total = ends.carried
    #expect(total == carried)
  }
}
