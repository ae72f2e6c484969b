import Lab
import SystemRuntime
import Model
import Netfilter
import Testing

@testable import Monitors

/// A41 without a kernel: many flows at once, and many one after the other.
@Suite struct MonitorBoundsTests {
  private static let server = Scenario.endpoint("10.0.0.1:53")

  /// A flow of one client to the host's port 53.
  private static func flow(_ number: UInt32, _ original: UInt64, _ reply: UInt64) -> Flow {
    let client = Endpoint(address: IPAddress(v4: 0xc612_0000 + number), port: 5000)
    return Flow(
      id: number + 1, original: FlowTuple(source: client, destination: server, transport: .udp),
      reply: FlowTuple(source: server, destination: client, transport: .udp),
      counters: FlowCounters(originalBytes: original, replyBytes: reply))
  }

  @Test func `all bytes of 100,000 flows are their owner's, and none is left when they are gone`() throws {
    let host = FakeHost()
    host.proc.add(7, start: 100, arguments: Array("server\0".utf8), sockets: [3: 501])
    host.addSocket(501, "udp *:53")
    host.writeFiles()
    let flows = (0..<100_000).map { Self.flow($0, 10, 20) }
    let monitor = try host.monitor(
      of: ScriptedTable([
        FlowSnapshot(living: flows),
        FlowSnapshot(living: flows.reversed().map { Self.flow($0.id - 1, 11, 23) }),
        FlowSnapshot(living: [], ended: flows.map { Self.flow($0.id - 1, 12, 24) }), FlowSnapshot(),
      ]))
    let start = Instant.now
    let all = try (0..<4).map { try monitor.readings(until: start + .seconds($0)) }
    #expect(all.map(\.health.flows) == [100_000, 100_000, 0, 0])
    #expect(
      all.map { $0.readings.map(\.summary) } == [
        ["7@100 server 1000000/2000000 relaxed"], ["7@100 server 100000/300000 relaxed"],
        ["7@100 server 100000/100000 relaxed"], [],
      ])
    #expect(all.allSatisfy { $0.health.dropped == 0 && $0.health.missedEnds == 0 })
  }

  @Test func `of 1,000 new flows a second for a minute nothing is kept`() {
    var host = Scenario()
    host.socket(.udp, "*:53", heldBy: 7)
    for second in UInt32(0)..<60 {
      host.ended = host.flows
      host.flows = (0..<1_000).map { Self.flow(second * 1_000 + $0, 10, 20) }
      #expect(host.tick().owners == [.pid(7): Usage(10_000, 20_000)])
      // Those that live, and those whose last bytes were just settled.
      #expect(host.remembered <= 2_000)
    }
  }
}
