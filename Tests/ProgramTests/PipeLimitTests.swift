import Lab
import Testing

/// P22: limits.
@Suite(.needs(.namespaces), .serialized, .laboratory(), .timeLimit(.minutes(3)))
struct PipeLimitTests {
  // The wide margins are for machines that run other tests at the same time; the benchmark has the narrow ones, and
  // the shaper's own tests have no clock at all.
  @Test(arguments: [
    ("--limit-in", 1, "auto"), ("--limit", 4, "auto"), ("--limit", 16, "auto"), ("--limit", 4, "on"),
  ])
  func `the sum is the limit, shared fairly`(flag: String, connections: Int, splice: String) async throws {
    let lab = try Laboratory.topology
    let pipe = try await Reporter.pipe([flag, "1M", "--splice", splice], in: lab.a)
    try await PipePeer.run("limited", ["\(connections)", "4", "1048576"], in: lab.a)
    try await pipe.stop()
  }

  @Test func `the other direction is free`() async throws {
    let lab = try Laboratory.topology
    let pipe = try await Reporter.pipe(["--limit-out", "1k"], in: lab.a)
    let peer = try PipePeer("drip", ["20000"], in: lab.a)
    try await peer.said("open")
    try await pipe.report("a megabyte") { $0.pipe?.received ?? 0 > 1_000_000 }
    try await peer.finished()
    try await pipe.stop()
  }

  @Test func `what is delivered under a limit is whole`() async throws {
    let lab = try Laboratory.topology
    let pipe = try await Reporter.pipe(["--limit", "8M"], in: lab.a)
    try await PipePeer.run("transfer", ["8388608"], in: lab.a)
    try await pipe.report("all") { $0.pipe?.usage == HostView(received: 8_388_608, sent: 8_388_608) }
    try await pipe.stop()
  }
}
