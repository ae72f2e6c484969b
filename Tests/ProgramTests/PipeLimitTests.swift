import Lab
import Testing

/// P22: limits.
@Suite(.needs(.namespaces), .serialized, .laboratory(), .timeLimit(.minutes(10)))
struct PipeLimitTests {
  // Bytes and times are the kernel's, so that other tests on this machine change neither.
  @Test(arguments: [
    ("--limit-in", 1, "auto"), ("--limit", 4, "auto"), ("--limit", 16, "auto"), ("--limit", 4, "on"),
  ])
  func `the sum is never above the limit and 3 %, never twice it in a tenth of a second, and shared`(
    flag: String, connections: Int, splice: String
  ) async throws {
    let lab = try Laboratory.topology
    let pipe = try await Reporter.pipe([flag, "100k", "--splice", splice], in: lab.a)
    try await PipePeer.run("limited", ["\(connections)", "5", "102400"], in: lab.a)
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
