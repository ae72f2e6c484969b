import Model
import Netfilter
import Testing

@testable import Monitors

/// Whose a connection to this host is before, while and after somebody has accepted it.
@Suite struct ServerOwnerTests {
  private static func client(_ number: Int) -> String { "192.0.2.9:\(5000 + number)" }

  private static func listen(_ host: inout Scenario, _ pids: [Int32]) {
    for pid in pids { host.socket(.tcp, "*:80", state: .listening, heldBy: pid) }
  }

  private static func flow(_ host: inout Scenario, _ number: Int, _ received: UInt64, _ sent: UInt64) {
    host.flow(UInt32(number), .tcp, client(number), "10.0.0.1:80", bytes: (received, sent))
  }

  @Test func `workers that share a port each have what they accepted`() {
    var host = Scenario()
    Self.listen(&host, [3, 4, 5, 6])
    for number in 0..<8 {
      host.unaccepted("10.0.0.1:80", Self.client(number))
      Self.flow(&host, number, 10, 0)
    }
    let first = host.tick()
    #expect(first.owners == [.unattributed(.ambiguous): Usage(80, 0)])
    host.sockets.removeLast(8)
    for number in 0..<8 {
      host.socket(.tcp, "10.0.0.1:80", Self.client(number), heldBy: Int32(3 + number % 4))
      Self.flow(&host, number, 110, UInt64(1_000 * (number + 1)))
    }
    let second = host.tick()
    #expect(
      second.owners == [
        .pid(3): Usage(200, 6_000), .pid(4): Usage(200, 8_000), .pid(5): Usage(200, 10_000),
        .pid(6): Usage(200, 12_000),
      ])
    #expect(second.readings.allSatisfy { $0.certainty == Certainty() })
    #expect(first.balance.total + second.balance.total == Usage(880, 36_000))
  }

  @Test func `what the only listener has before the accept is provisional, and only that`() {
    var host = Scenario()
    Self.listen(&host, [3])
    host.unaccepted("10.0.0.1:80", Self.client(1))
    Self.flow(&host, 1, 7, 9)
    #expect(host.tick().readings.map(\.certainty.match) == [.relaxed])
    host.sockets.removeLast()
    host.socket(.tcp, "10.0.0.1:80", Self.client(1), heldBy: 5)
    Self.flow(&host, 1, 8, 19)
    let tick = host.tick()
    #expect(tick.owners == [.pid(5): Usage(1, 10)])
    #expect(tick.readings.map(\.certainty.match) == [.exact])
  }

  @Test(arguments: [[Int32(3)], [3, 4, 5]])
  func `who was seen to have accepted corrects the listener, though no tick met the socket`(
    listeners: [Int32]
  ) {
    var host = Scenario()
    Self.listen(&host, listeners)
    host.unaccepted("10.0.0.1:80", Self.client(1))
    Self.flow(&host, 1, 7, 9)
    #expect(host.tick().owners != [.pid(5): Usage(7, 9)])
    host.sockets.removeLast()
    Self.flow(&host, 1, 17, 29)
    host.earlyOwners = host.flows.map {
      EarlyOwner(flow: $0.identity, isClient: false, process: Scenario.process(5), hasAddress: true)
    }
    #expect(host.tick().owners == [.pid(5): Usage(10, 20)])
    host.ended = host.flows
    host.ended[0].counters.originalBytes += 1
    host.flows = []
    #expect(host.tick().owners == [.pid(5): Usage(1, 0)])
  }

  @Test func `a listener that its service was handed is nobody's before the accept`() {
    var host = Scenario()
    let listener = host.socket(.tcp, "*:80", state: .listening, heldBy: 1)
    host.holders[listener] = [1, 9].map(Scenario.process)
    host.unaccepted("10.0.0.1:80", Self.client(1))
    Self.flow(&host, 1, 7, 9)
    #expect(host.tick().owners == [.unattributed(.ambiguous): Usage(7, 9)])
    host.sockets.removeLast()
    host.socket(.tcp, "10.0.0.1:80", Self.client(1), heldBy: 9)
    Self.flow(&host, 1, 8, 19)
    #expect(host.tick().owners == [.pid(9): Usage(1, 10)])
  }

  @Test func `what a closed connected socket of a shared port moved is nobody's, then the port's holder's`() {
    var host = Scenario()
    host.socket(.udp, "*:53", heldBy: 2)
    host.socket(.udp, "10.0.0.1:53", Self.client(1), heldBy: 1)
    host.flow(1, .udp, Self.client(1), "10.0.0.1:53", bytes: (10, 20))
    #expect(host.tick().owners == [.pid(1): Usage(10, 20)])
    host.sockets.removeLast()
    host.flow(1, .udp, Self.client(1), "10.0.0.1:53", bytes: (110, 220))
    #expect(host.tick().owners == [.unattributed(.ambiguous): Usage(100, 200)])
    host.flow(1, .udp, Self.client(1), "10.0.0.1:53", bytes: (111, 222))
    #expect(host.tick().owners == [.pid(2): Usage(1, 2)])
  }

  @Test func `a socket that is handed on stays the flow's`() {
    var host = Scenario()
    host.socket(.udp, "*:53", heldBy: 2, 3)
    host.flow(1, .udp, Self.client(1), "10.0.0.1:53", bytes: (10, 20))
    #expect(host.tick().owners == [.pid(2): Usage(10, 20)])
    for (inode, holders) in host.holders {
      host.holders[inode] = holders.filter { $0 != Scenario.process(2) }
    }
    host.flow(1, .udp, Self.client(1), "10.0.0.1:53", bytes: (11, 22))
    #expect(host.tick().owners == [.pid(3): Usage(1, 2)])
  }

  @Test func `a port that a hidden process shares is nobody's`() {
    var host = Scenario()
    host.socket(.udp, "*:53", heldBy: 2)
    host.socket(.udp, "*:53")
    host.flow(1, .udp, Self.client(1), "10.0.0.1:53", bytes: (10, 20))
    #expect(host.tick().owners == [.unattributed(.ambiguous): Usage(10, 20)])
  }
}
