import Foundation
import Lab
import Testing

/// P21 and clients: many connections, and whose they are.
@Suite(.needs(.namespaces), .serialized, .laboratory(), .timeLimit(.minutes(10)))
struct PipeScaleTests {
  /// Ten thousand, or what the limit of descriptors leaves to a program that needs two for each.
  private static var idleCount: Int {
    var limit = rlimit()
    _ = unsafe getrlimit(__rlimit_resource_t(7), &limit)
    return min(10_000, (Int(clamping: limit.rlim_max) - 1600) / 2)
  }

  @Test func `ten thousand idle and a hundred active`() async throws {
    let lab = try Laboratory.topology
    let pipe = try await Reporter.pipe(in: lab.a)
    let before = try pipe.descriptors()
    let memory = try pipe.resources().memory
    let server = try PipePeer("serve_many", pipe: "-", in: lab.a)
    try await server.said("ready")
    let idle = try PipePeer("hold", target: "-", ["\(Self.idleCount)"], in: lab.a)
    try await idle.said("open", within: .seconds(300))
    try await pipe.report("all of them") { $0.pipe?.connections == Self.idleCount }
    #expect(try pipe.resources().memory - memory < 10_000 * Self.idleCount)
    let quiet = try (ticks: pipe.resources().ticks, reports: pipe.reports().count)
    try await eventually("ten reports", state: { pipe.state }) {
      try pipe.reports().count >= quiet.reports + 10 ? () : nil
    }
    // They are the only work.
    let ticks = try pipe.resources().ticks - quiet.ticks
    #expect(ticks <= max(10, try pipe.reports().count - quiet.reports))

    let active = try PipePeer("hold", target: "-", ["100", "100"], in: lab.a)
    try await active.said("open")
    try await pipe.report("the active too") { $0.pipe?.connections == Self.idleCount + 100 }
    let seen = try #require(try pipe.reports().last?.pipe).received
    try await pipe.report("their bytes") { $0.pipe?.received ?? 0 > seen + 1_000_000 }
    try await active.finished()
    try await idle.finished()
    try await pipe.report("no connection") {
      $0.pipe?.connections == 0 && $0.pipe?.accepted == Self.idleCount + 100
    }
    #expect(try pipe.descriptors() <= before + 32)
    try await pipe.stop()
  }

  @Test func `when pipes run out bytes are copied, and all arrive`() async throws {
    let lab = try Laboratory.topology
    // Eight pipes, as with any limit below 288 descriptors.
    let pipe = try await Reporter.pipe(
      ["--splice", "on"], in: lab.a, wrapper: ["prlimit", "--nofile=256:256"])
    let before = try pipe.descriptors()
    let peer = try PipePeer("slow_readers", ["20", "16777216"], in: lab.a)
    try await peer.said("pushing")
    // What the kernel's buffers and ours hold: all connections stand, most of them without a pipe.
    try await pipe.report("every connection to have moved something") {
      $0.pipe?.connections == 20 && $0.pipe?.usage.sent ?? 0 > 20 << 20
    }
    #expect(try pipe.descriptors() <= before + 2 * 20 + 2 * 8)
    try await peer.finished()
    try await pipe.report("all of it") { $0.pipe?.usage == HostView(received: 0, sent: 20 << 24) }
    try await pipe.stop()
  }

  @Test func `clients are counted by address, and those of this host by process`() async throws {
    let lab = try Laboratory.topology
    let pipe = try await Reporter.pipe(["--clients"], in: lab.a)
    let echo = try PipePeer("echo", pipe: "-", in: lab.a)
    try await echo.said("ready")
    let here = try PipePeer("hold", target: "-", ["3"], in: lab.a)
    let there = try PipePeer("hold", pipe: "10.77.1.1:8080", target: "-", ["2"], in: lab.b)
    try await here.said("open")
    try await there.said("open")
    let report = try await pipe.report("both clients") {
      $0.row(named: "10.77.1.2")?.connections == 2 && $0.row(pid: here.process.pid)?.connections == 3
    }
    #expect(report.row(named: "10.77.1.2")?.usage == HostView(received: 2, sent: 2))
    #expect(report.row(named: "10.77.1.2")?.connections == 2)
    #expect(report.row(named: "10.77.1.2")?.kind == "client")
    let process = try #require(report.row(pid: here.process.pid))
    #expect(process.usage == HostView(received: 3, sent: 3))
    #expect(process.name.contains("pipe_peer.py hold"))
    try await here.finished()
    try await there.finished()
    let last = try await pipe.report("no connection") { $0.pipe?.connections == 0 && $0.pipe?.accepted == 5 }
    #expect(last.row(named: "10.77.1.2")?.usage == HostView(received: 2, sent: 2))
    #expect(last.pipe?.usage == HostView(received: 5, sent: 5))
    try await pipe.stop()
  }
}
