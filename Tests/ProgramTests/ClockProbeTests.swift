import Foundation
import Glibc
import Lab
import Testing

/// A44, P6: no time of a probe, no outage and no alert goes by a wall clock that somebody sets.
@Suite(.needs(.namespaces, .tun), .serialized, .timeLimit(.minutes(10)))
struct ClockProbeTests {
  /// A record of connmonitor, as far as it matters here.
  private struct Record: Decodable {
    struct Ping: Decodable { var min, max, loss: Double }
    var timestamp: Double
    var ping: Ping
  }

  /// The kernel's stamps of what comes and goes are of the wall clock too, and of the machine's here.
  @Test func `connmonitor: times of records move, and none of a ping`() async throws {
    let lab = try await Topology()
    let clock = try await SteppedClock()
    let folder = try ScratchFolder()
    let list = try folder.write("10.77.1.2 ping=50 numpings=5 json=true\n", to: "hosts")
    let monitor = try lab.a.start(clock.wrapper + [Program.path("connmonitor"), list])
    func records() throws -> [Record] {
      try monitor.output.lines.filter { !$0.isEmpty }.map {
        try JSONDecoder().decode(Record.self, from: Data($0.utf8))
      }
    }
    let steps = [Duration.zero, SteppedClock.hour, .zero - SteppedClock.hour, .milliseconds(3), .zero]
    for step in steps {
      try clock.setWallClock(by: step)
      let before = try records().count
      try await eventually("records", state: { monitor.errors.text }) {
        try records().count >= before + 4 ? () : nil
      }
    }
    #expect(try await monitor.stop() == .exited(0))
    let all = try records()
    // Over a wire of this host; a reply is waited for a second.
    #expect(all.allSatisfy { $0.ping.loss == 0 && $0.ping.min > 0 && $0.ping.max < 1000 }, "\(all)")
    let times = all.map { $0.timestamp / 1000 }
    let jumps = zip(times, times.dropFirst()).map { $1 - $0 }.filter { abs($0) > SteppedClock.slack }
    let hour = SteppedClock.hour / .seconds(1)
    #expect(jumps.map { ($0 / hour).rounded() } == [1, -2, 1], "\(jumps)")
  }

  @Test(arguments: SteppedClock.hourEitherWay)
  func `netconnmon: no outage begins or ends, and none is longer`(step: Duration) async throws {
    struct Change: Decodable {
      var state, time: String
      var uptime, downtime: Double?
    }
    let host = try await NetworkNamespace()
    let clock = try await SteppedClock()
    var server = try await NetConnMonTests.server(host)
    let monitor = try host.start(
      clock.wrapper + [
        Program.path("netconnmon"), "-a", "127.0.0.1", "-p", "7000", "-i", "0.02", "-m", "0", "--format",
        "json",
      ])
    func changes(_ count: Int) async throws -> [Change] {
      try await eventually("\(count) changes", state: { monitor.errors.text }) {
        let lines = monitor.output.lines
        guard lines.count >= count else { return nil }
        return try lines.map { try JSONDecoder().decode(Change.self, from: Data($0.utf8)) }
      }
    }
    for offset in [step, .zero, step] {
      try await NetConnMonTests.checks(3, at: server)
      try clock.setWallClock(by: offset)
    }
    try await NetConnMonTests.checks(3, at: server)
    #expect(monitor.output.text.isEmpty)
    try await server.stop(SIGKILL)
    let begun = try #require(try await changes(1).first)
    try clock.setWallClock(by: .zero)
    server = try await NetConnMonTests.server(host)
    let ended = try #require(try await changes(2).last)
    try await NetConnMonTests.checks(3, at: server)
    #expect(try await monitor.stop() == .exited(0))
    #expect(monitor.output.lines.count == 2 && monitor.errors.text.isEmpty, "\(monitor.errors.text)")
    #expect(begun.state == "firing" && ended.state == "resolved")
    for length in [begun.uptime, ended.downtime] {
      #expect(try (0..<SteppedClock.slack).contains(#require(length)))
    }
    let moved = try Report.moment(begun.time) - Report.moment(ended.time)
    #expect(abs(moved - step / .seconds(1)) < SteppedClock.slack)
  }

  @Test(arguments: SteppedClock.hourEitherWay)
  func `runaggregator: no outage begins or ends, and none is longer`(step: Duration) async throws {
    let stage = try await ProbesStage()
    let clock = try await SteppedClock()
    let aggregator = try stage.start(
      try stage.monitors(
        ["gw 10.9.0.5", "web 10.9.0.6"],
        more: "[shop]\ntype=connect\nhost=10.9.0.7\nport=80\ninterval=0.2\n"),
      rules: "[path]\nloss_threshold=1\nrtt_threshold=100000 ms\ndown=yes\nfor=1200\n", wrapper: clock.wrapper
    )
    let names = ["gw", "web"]
    for offset in [step, .zero, step] {
      try await aggregator.rounds(3, of: names, loss: 0)
      try clock.setWallClock(by: offset)
    }
    try await aggregator.rounds(3, of: names, loss: 0)
    #expect(try aggregator.events("outage").isEmpty)
    try await stage.network.set("target 10.9.0.5 loss 100")
    func outage(_ state: String) async throws -> Reporter.Event {
      try await aggregator.event("outage", state) { $0["state"] as? String == state }
    }
    let begun = try await outage("firing")
    try clock.setWallClock(by: .zero)
    try await aggregator.rounds(3, of: ["web"], loss: 0)
    try await stage.network.set("target 10.9.0.5 loss 0")
    let ended = try await outage("resolved")
    try await aggregator.rounds(2, of: names, loss: 0)
    try await aggregator.stop()
    #expect(try aggregator.events("outage").count == 2 && aggregator.events("alert").isEmpty)
    for length in [begun["uptime"], ended["downtime"]] {
      #expect(try (0..<SteppedClock.slack).contains(#require(length as? Double)))
    }
    let trips = try aggregator.events("probe").flatMap { event in
      ["min", "max", "rtt"].compactMap { event[$0] as? Double }
    }
    #expect(trips.count > 20 && trips.allSatisfy { (0..<100_000).contains($0) }, "\(trips)")
  }
}
