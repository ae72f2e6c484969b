import Foundation
import Lab
import Testing

/// P16, P17, P18, P20, P23: every byte arrives, in order, with its end, and is counted.
@Suite(.needs(.namespaces), .serialized, .laboratory(), .timeLimit(.minutes(10)))
struct PipeTransferTests {
  private static let modes = ["auto", "on", "off"]

  @Test(arguments: modes, ["1", "2"])
  func `both ways at once arrive whole and are counted to the byte`(splice: String, threads: String)
    async throws
  {
    let lab = try Laboratory.topology
    let pipe = try await Reporter.pipe(["--splice", splice, "--threads", threads], in: lab.a)
    try await PipePeer.run("transfer", ["67108864"], in: lab.a)
    let both = HostView(received: 67_108_864, sent: 67_108_864)
    let report = try await pipe.report("all bytes and no connection") {
      $0.pipe?.usage == both && $0.pipe?.connections == 0
    }
    #expect(report.layer == "payload")
    #expect(report.pipe?.name == "pipe-8080:127.0.0.1:9000")
    #expect(report.balance.total.view == both)
    #expect(report.pipe?.accepted == 1)
    try await pipe.stop()
  }

  @Test(arguments: modes)
  func `a gibibyte both ways at once arrives whole, is counted to the byte and costs no memory`(
    splice: String
  ) async throws {
    let lab = try Laboratory.topology
    let pipe = try await Reporter.pipe(["--splice", splice], in: lab.a)
    try await PipePeer.run("transfer", ["1048576"], in: lab.a)
    let before = try pipe.resources().memory
    try await PipePeer.run("transfer", ["1073741824"], in: lab.a)
    let all: UInt64 = 1_074_790_400
    try await pipe.report("all bytes") { $0.pipe?.usage == HostView(received: all, sent: all) }
    #expect(try pipe.resources().memory - before < 1 << 20)
    try await pipe.stop()
  }

  @Test(arguments: ["10.77.1.2", "fd77::2"], modes)
  func `across the wire too, in both families`(target: String, splice: String) async throws {
    let lab = try Laboratory.topology
    let pipe = try await Reporter.pipe(["--splice", splice], host: target, in: lab.a)
    let server = try PipePeer("transfer", pipe: "-", target: "[\(target)]:9000", ["16777216"], in: lab.b)
    try await server.said("ready")
    let client = try await PipePeer.run("transfer", pipe: "[::1]:8080", target: "-", ["16777216"], in: lab.a)
      .split(whereSeparator: \.isWhitespace)
    let digests = try await server.finished().split(whereSeparator: \.isWhitespace).suffix(2)
    #expect(Array(digests) == client.reversed())
    try await pipe.report("all bytes") { $0.pipe?.usage == HostView(received: 16_777_216, sent: 16_777_216) }
    try await pipe.stop()
  }

  @Test(arguments: [("fe80::bb%eth0", "[fe80::aa%eth0]"), ("[fe80::bb%eth0]", "fe80::aa%eth0")])
  func `link-local addresses are reached, and listened on, by their interface`(target: String, place: String)
    async throws
  {
    let lab = try Laboratory.topology
    try await lab.a.ip("addr replace fe80::aa/64 dev eth0 nodad")
    try await lab.b.ip("addr replace fe80::bb/64 dev eth0 nodad")
    let echo = try PipePeer("echo", pipe: "-", target: "[::]:9000", in: lab.b)
    try await echo.said("ready")
    let pipe = try await Reporter.pipe(["--bind", place], host: target, in: lab.a)
    try await PipePeer.run("ask", pipe: "[fe80::aa%eth0]:8080", target: "-", ["3"], in: lab.b)
    let report = try await pipe.report("all bytes") { $0.pipe?.usage == HostView(received: 24, sent: 24) }
    #expect(report.pipe?.name == "pipe-8080:fe80::bb%eth0:9000")
    try await pipe.stop()

    let folder = try ScratchFolder()
    try folder.write(
      "[p]\ntype=pipe\nport=8081\nnewhost=\(target)\nnewport=9000\nbind=[::1]\n", to: "monitors")
    let aggregator = try Reporter(
      ["--monitor-config", "\(folder.path)/monitors"], program: "runaggregator", in: lab.a)
    try await aggregator.report("a first report")
    try await PipePeer.run("ask", pipe: "[::1]:8081", target: "-", ["3"], in: lab.a)
    try await aggregator.report("all bytes") {
      $0.rows.map(\.usage) == [HostView(received: 24, sent: 24)]
    }
    try await aggregator.stop()
  }

  @Test(arguments: modes)
  func `a wire with delay and loss loses no byte of a pipe`(splice: String) async throws {
    let lab = try Laboratory.topology
    let wire = try await LossyWire(lab.a, lab.b, delay: 10, loss: 1)
    let pipe = try await Reporter.pipe(["--splice", splice], host: "10.88.0.2", in: lab.a)
    let server = try PipePeer("transfer", pipe: "-", target: "10.88.0.2:9000", ["4194304"], in: lab.b)
    try await server.said("ready")
    let client = try await PipePeer.run("transfer", target: "-", ["4194304"], in: lab.a)
      .split(whereSeparator: \.isWhitespace)
    let digests = try await server.finished().split(whereSeparator: \.isWhitespace).suffix(2)
    #expect(Array(digests) == client.reversed())
    try await pipe.report("all bytes") { $0.pipe?.usage == HostView(received: 4_194_304, sent: 4_194_304) }
    try await pipe.stop()
    #expect(try await wire.remove() > 10)
  }

  @Test(arguments: modes)
  func `an answer after the client's end arrives whole, then both sockets close`(splice: String) async throws
  {
    let lab = try Laboratory.topology
    let pipe = try await Reporter.pipe(["--splice", splice], in: lab.a)
    let before = try pipe.descriptors()
    try await PipePeer.run("half_close", in: lab.a)
    let report = try await pipe.report("no connection") {
      $0.pipe?.connections == 0 && $0.pipe?.accepted == 1
    }
    #expect(report.pipe?.usage == HostView(received: 1 << 20, sent: 10 << 20))
    // What may stay is a pipe for the next that splices.
    #expect(try pipe.descriptors() <= before + 4)
    try await pipe.stop()
  }

  @Test(arguments: modes, ["1", "1448", "65536"])
  func `the tail of a stream arrives although nothing follows`(splice: String, size: String) async throws {
    let lab = try Laboratory.topology
    let pipe = try await Reporter.pipe(["--splice", splice], in: lab.a)
    // Ten seconds: what is looked for is a tail that never comes.
    try await PipePeer.run("tail", [size, "100"], in: lab.a)
    try await pipe.stop()
  }

  @Test(arguments: modes) func `a reset is passed on, either way`(splice: String) async throws {
    let lab = try Laboratory.topology
    let pipe = try await Reporter.pipe(["--splice", splice], in: lab.a)
    try await PipePeer.run("reset", in: lab.a)
    let report = try await pipe.report("no connection") {
      $0.pipe?.connections == 0 && $0.pipe?.accepted == 2
    }
    #expect(report.pipe?.usage == HostView(received: 2, sent: 0))
    _ = try await pipe.process.errors.first("a line about the target") {
      $0.contains("the target broke the connection of") ? $0 : nil
    }
    try await pipe.stop()
  }

  @Test(arguments: modes, ["1000", "60000"])
  func `an answer before a reset arrives whole`(splice: String, size: String) async throws {
    let lab = try Laboratory.topology
    let pipe = try await Reporter.pipe(["--splice", splice], in: lab.a)
    try await PipePeer.run("early_answer", [size], in: lab.a)
    try await pipe.report("no connection") { $0.pipe?.connections == 0 && $0.pipe?.accepted == 10 }
    try await pipe.stop()
  }

  @Test(arguments: modes) func `urgent data goes through in its place`(splice: String) async throws {
    let lab = try Laboratory.topology
    let pipe = try await Reporter.pipe(["--splice", splice], in: lab.a)
    try await PipePeer.run("urgent", in: lab.a)
    try await pipe.report("no connection") { $0.pipe?.connections == 0 && $0.pipe?.accepted == 1 }
    try await pipe.stop()
  }

  @Test(arguments: modes) func `a pipe that is stopped and goes on loses nothing`(splice: String) async throws
  {
    let lab = try Laboratory.topology
    let pipe = try await Reporter.pipe(["--splice", splice], in: lab.a)
    let bytes: UInt64 = 268_435_456
    let peer = try PipePeer("transfer", ["\(bytes)"], in: lab.a)
    for share in 1...30 {
      try await pipe.report("more bytes") {
        $0.pipe?.received ?? 0 >= bytes / 40 * UInt64(share)
      }
      pipe.process.signal(SIGSTOP)
      pipe.process.signal(SIGCONT)
    }
    try await peer.finished()
    try await pipe.report("all bytes") { $0.pipe?.usage == HostView(received: bytes, sent: bytes) }
    try await pipe.stop()
  }

  @Test(arguments: [("auto", 1 << 30), ("on", 1 << 27), ("off", 1 << 27)] as [(String, UInt64)])
  func `a slow reader costs no memory and gets everything in the end`(splice: String, bytes: UInt64)
    async throws
  {
    let lab = try Laboratory.topology
    let pipe = try await Reporter.pipe(["--splice", splice], in: lab.a)
    let before = try pipe.resources().memory
    let peer = try PipePeer("slow_reader", ["\(bytes)"], in: lab.a)
    try await peer.said("stalled")
    #expect(try pipe.resources().memory - before < 1 << 20)
    try await peer.finished()
    try await pipe.report("all of it") { $0.pipe?.usage == HostView(received: 0, sent: bytes) }
    try await pipe.stop()
  }

  @Test func `a connection is counted while it lives, and its crash loses nothing`() async throws {
    let lab = try Laboratory.topology
    let pipe = try await Reporter.pipe(in: lab.a)
    let peer = try PipePeer("drip", ["10000"], in: lab.a)
    try await peer.said("open")
    var seen: UInt64 = 0
    for _ in 0..<5 {
      let next = try await pipe.report("more than \(seen)") { $0.pipe?.usage.received ?? 0 > seen }
      seen = try #require(next.pipe).received
      #expect(next.pipe?.connections == 1)
    }
    peer.process.signal(SIGKILL)
    _ = try await peer.process.ended()
    let report = try await pipe.report("no connection") {
      $0.pipe?.connections == 0 && $0.pipe?.accepted == 1
    }
    let delivered = try #require(peer.process.output.lines.compactMap { UInt64($0) }.last)
    #expect(try #require(report.pipe).received >= delivered)
    let totals = try pipe.reports().compactMap { $0.pipe?.received }
    #expect(zip(totals, totals.dropFirst()).allSatisfy { $0 <= $1 })
    try await pipe.stop()
  }
}
