import Lab
import Model
import SystemRuntime
import SystemPackage
import Testing

@testable import Pipes

/// A connection that is broken before its target is connected, step by step on one thread.
@Suite(.timeLimit(.minutes(10))) struct WorkerBreakTests {
  /// What comes to an end until its peer ends or fails.
  private static func drain(_ end: StreamEnd) async throws -> (bytes: Int, last: Transfer) {
    var (bytes, buffer) = (0, [UInt8](repeating: 0, count: 100))
    return try await eventually("an end") {
      switch end.socket.receive(into: &buffer, atMost: 100) {
      case .moved(let count):
        bytes += count
        return nil
      case .wouldBlock: return nil
      case let last: return (bytes, last)
      }
    }
  }

  /// Both directions are full of what nobody reads, and then nobody is there.
  @Test(arguments: [true, false])
  func `of two ends that have failed none is waited for`(clientFailsFirst: Bool) async throws {
    let bench = try await WorkerBench()
    try await bench.begin()
    bench.with { $0.identified($1) }
    var target: StreamEnd? = try await bench.accept(bench.target)
    bench.with { $0.targetChanged($1, 0, [.writable]) }
    let bytes = [UInt8](repeating: 1, count: 1 << 16)
    try await eventually("full buffers both ways") {
      for end in [bench.client, target] {
        while case .moved = end?.socket.send(bytes, 0..<bytes.count) {}
      }
      bench.with { $0.clientChanged($1, [.readable]) }
      bench.with { $0.targetChanged($1, 0, [.readable]) }
      return bench.halves.map { !$0.received.relay.mayWrite && !$0.sent.relay.mayWrite } == true ? () : nil
    }
    for end in [bench.client, target] { end?.socket.resetOnClose() }
    (bench.client, target) = (nil, nil)
    let failures: [(Worker, Connection) -> Void] = [
      { $0.clientChanged($1, [.failed, .hungUp]) }, { $0.targetChanged($1, 0, [.failed, .hungUp]) },
    ]
    for failure in clientFailsFirst ? failures : failures.reversed() { bench.with(failure) }
    #expect(bench.pipe.open == 0)
  }

  @Test(arguments: [0, 5])
  func `a client that resets while its target is dialed arrives there as a reset, behind what it said`(
    count: Int
  ) async throws {
    let bench = try await WorkerBench()
    try await bench.begin()
    bench.with { $0.identified($1) }
    // On the loopback the target has the connection already, and the worker does not know.
    let accepted = try await bench.accept(bench.target)
    try await bench.reset(after: [UInt8](repeating: 1, count: count))
    if count > 0 {
      bench.with { $0.targetChanged($1, 0, [.writable]) }
      try await eventually("the end of the connection") {
        bench.with { $0.lookAtBreak($1) }
        return bench.pipe.open == 0 ? () : nil
      }
    }
    #expect(bench.pipe.open == 0)
    let (bytes, last) = try await Self.drain(accepted)
    #expect(bytes == count && last == .failed(.connectionReset))
  }

  @Test(
    arguments: [
      ("no-answer.invalid", false, "", true), ("no-answer.invalid", false, "x", false),
      ("127.0.0.1", true, "", true), ("127.0.0.1", true, "PROXY UNK", true),
      ("127.0.0.1", true, "PROXY UNKNOWN\r\n", true), ("127.0.0.1", true, "PROXY UNKNOWN\r\nx", false),
    ] as [(String, Bool, String, Bool)])
  func `a client that resets before the dialing is dropped only if it has said nothing for the target`(
    host: String, acceptsProxy: Bool, text: String, isDropped: Bool
  ) async throws {
    let bench = try await WorkerBench(host: host, acceptsProxy: acceptsProxy)
    try await bench.begin()
    // The name is not looked up: nobody has started that.
    if !acceptsProxy { bench.with { $0.identified($1) } }
    try await bench.reset(after: Array(text.utf8))
    #expect((bench.pipe.open == 0) == isDropped)
    bench.worker.end()
    #expect(bench.pipe.open == 0)
  }

  @Test func `bytes that move after a quiet look are looked at within an eighth of the time limit`()
    async throws
  {
    let limit = Duration.seconds(80)
    let bench = try await WorkerBench(idleTimeout: limit)
    try await bench.begin()
    bench.with { $0.identified($1) }
    let accepted = try await bench.accept(bench.target)
    bench.with { $0.targetChanged($1, 0, [.writable]) }
    var buffer: [UInt8] = [0]
    for round in 0..<2 {
      var moved = Instant.now
      bench.with { moved = $1.silence.since + .seconds(1) }
      #expect(bench.client?.socket.send([7], 0..<1) == .moved(1))
      try await eventually("the byte") {
        bench.with { worker, connection in
          worker.now = moved
          worker.clientChanged(connection, [.readable])
        }
        return accepted.socket.receive(into: &buffer, atMost: 1) == .moved(1) ? () : nil
      }
      bench.with { worker, connection in
        #expect(connection.silence.since == moved)
        #expect(connection.scheduled.map { $0 <= moved + limit / 8 } == true, "round \(round)")
        worker.now = moved + limit / 8
        connection.scheduled = nil
        worker.deadlinePassed(connection)
      }
    }
    bench.worker.end()
  }

  @Test func `the end of a worker breaks what it dials, on both sides`() async throws {
    let bench = try await WorkerBench()
    try await bench.begin()
    bench.with { $0.identified($1) }
    let accepted = try await bench.accept(bench.target)
    bench.worker.end()
    let client = try #require(bench.client)
    for end in [accepted, client] {
      let (bytes, last) = try await Self.drain(end)
      #expect(bytes == 0 && last == .failed(.connectionReset))
    }
  }

  @Test
  func `a connection for a worker that has ended stays with the one that accepted it, and is cut there`()
    async throws
  {
    let mailboxes = [try Mailbox(), try Mailbox()]
    let bench = try await WorkerBench(mailboxes: mailboxes)
    #expect(mailboxes[1].close().isEmpty)
    // The other one seems to have less to do.
    bench.worker.mailbox.addLoad(5)
    bench.worker.open(bench.pipe)
    try await eventually("a connection") {
      bench.worker.accept(for: 1, listener: 0)
      return bench.pipe.open == 1 ? () : nil
    }
    #expect(mailboxes[1].load == 0)
    bench.worker.end()
    #expect(try await Self.drain(try #require(bench.client)).last == .failed(.connectionReset))
    #expect(bench.pipe.open == 0)
  }

  @Test func `a connection that a worker finds in its mailbox at its end is cut`() async throws {
    let bench = try await WorkerBench()
    let accepted = try await bench.accept(bench.listener)
    #expect(bench.pipe.enter(limit: 1))
    bench.worker.mailbox.addLoad(1)
    #expect(bench.worker.mailbox.post(.adopt(bench.pipe, accepted, source: bench.listener.local)))
    bench.worker.end()
    #expect(!bench.worker.mailbox.post(.stop))
    #expect(bench.pipe.open == 0 && bench.worker.mailbox.load == 0)
  }
}
