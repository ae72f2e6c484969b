import Foundation
import Lab
import Testing

/// What is cut and what is not, and that a cut is always seen as one.
@Suite(.needs(.namespaces), .serialized, .laboratory(), .timeLimit(.minutes(10)))
struct PipeBreakTests {
  @Test(arguments: ["open", "end", "reset"], [("auto", "sent"), ("off", "sent"), ("on", "received")])
  func `what is taken slowly out of the kernel's buffer is not cut`(
    mode: String, how: (splice: String, way: String)
  ) async throws {
    try await isNotCut(mode, splice: how.splice, way: how.way, size: 600_000, pace: ["4000", "8192"])
  }

  /// A kernel whose buffer is full confirms nothing until a good part of it is free, and once it has confirmed all,
  /// nothing more.
  @Test(
    arguments: [("open", 600_000), ("end", 600_000), ("reset", 600_000), ("open", 60_000), ("end", 60_000)],
    ["sent", "received"])
  func `a peer of this host that takes less than its kernel confirms is not cut`(
    what: (mode: String, size: UInt64), way: String
  ) async throws {
    try await isNotCut(what.mode, splice: "auto", way: way, size: what.size, pace: ["200", "131072"])
  }

  /// Of a peer elsewhere is known only what its kernel confirms.
  @Test(arguments: ["open", "end", "reset"])
  func `what a client of another host takes slowly is not cut`(mode: String) async throws {
    let lab = try Laboratory.topology
    try await isNotCut(
      mode, splice: "auto", way: "sent", size: 600_000, pace: ["4000", "8192"], clientIn: lab.b.name)
  }

  /// `pace` is how many bytes the peer takes at a time, ten times a second, and its buffer.
  private func isNotCut(
    _ mode: String, splice: String, way: String, size: UInt64, pace: [String], clientIn place: String? = nil
  ) async throws {
    let lab = try Laboratory.topology
    let pipe = try await Reporter.pipe(
      [mode == "open" ? "--idle-timeout" : "--fin-timeout", "3", "--splice", splice], in: lab.a)
    let peer = try PipePeer(
      "slow_taker", pipe: place == nil ? "127.0.0.1:8080" : "10.77.1.1:8080",
      [mode, way, "\(size)"] + pace + [place].compactMap(\.self), in: lab.a)
    try await peer.said("given")
    let all = HostView(received: way == "sent" ? 0 : size, sent: way == "sent" ? size : 0)
    try await pipe.report("all in the kernel's hands") { $0.pipe?.usage == all }
    let seen = try pipe.reports().count
    try await eventually("a time longer than the timeout", state: { pipe.state }) {
      let time = try pipe.reports().dropFirst(seen + 1).compactMap(\.interval).reduce(0, +)
      return time > 4 ? () : nil
    }
    #expect(try #require(try pipe.reports().last?.pipe).connections == 1)
    try await peer.finished()
    #expect(!pipe.process.errors.text.contains("was silent"))
    try await pipe.stop()
  }

  /// With the larger buffer its kernel confirms all.
  @Test(arguments: ["sent", "received"], [["600000", "0", "8192"], ["60000", "0", "131072"]])
  func `a peer that takes nothing is cut although bytes wait for it`(way: String, size: [String]) async throws
  {
    let lab = try Laboratory.topology
    let pipe = try await Reporter.pipe(["--fin-timeout", "1"], in: lab.a)
    let peer = try PipePeer("slow_taker", ["never", way] + size, in: lab.a)
    try await peer.said("given")
    let line = try await pipe.process.errors.first("a line") {
      $0.contains("after one side had finished and was closed. Raise --fin-timeout") ? $0 : nil
    }
    #expect(line.contains("was silent for 1 s"))
    try await pipe.report("no connection") { $0.pipe?.connections == 0 && $0.pipe?.accepted == 1 }
    try await peer.finished()
    try await pipe.stop()
  }

  @Test(arguments: [1, 20_000])
  func `a client that resets while the target is dialed is passed on as a reset`(count: Int) async throws {
    let lab = try Laboratory.topology
    let pipe = try await Reporter.pipe(["--connect-timeout", "60"], in: lab.a)
    try await PipeFaultTests.dropDials(in: lab.a)
    let peer = try PipePeer("early_reset", ["\(count)"], in: lab.a)
    try await peer.said("said")
    try await pipe.report("a connection that waits") { $0.pipe?.connections == 1 }
    peer.process.closeInput()
    try await peer.said("reset")
    try await lab.a.run("nft delete table inet hole")
    try await peer.finished()
    try await pipe.report("no connection") { $0.pipe?.connections == 0 && $0.pipe?.accepted == 1 }
    try await pipe.stop()
  }

  @Test(arguments: [0, 1, 20_000])
  func `clients that reset at once never look like clean ends`(count: Int) async throws {
    let lab = try Laboratory.topology
    let pipe = try await Reporter.pipe(in: lab.a)
    let peer = try PipePeer("crowd", ["300", "\(count)"], in: lab.a)
    try await peer.said("reset")
    try await pipe.report("no connection") { $0.pipe?.connections == 0 && $0.pipe?.accepted ?? 0 > 0 }
    try await peer.finished()
    try await pipe.stop()
  }
}
