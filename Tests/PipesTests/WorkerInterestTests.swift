import Lab
import Model
import SystemRuntime
import SystemPackage
import Testing

@testable import Pipes

/// What a worker asks its poller for, and what it tells other workers, step by step on one thread.
@Suite(.timeLimit(.minutes(10))) struct WorkerInterestTests {
  @Test func `room that nobody waits for is reported no longer, and again once the receiver is full`()
    async throws
  {
    let bench = try await WorkerBench()
    try await bench.begin()
    bench.with { $0.identified($1) }
    let target = try await bench.accept(bench.target)
    bench.with { $0.targetChanged($1, 0, [.writable]) }
    for _ in 0..<Interest.patience { bench.with { $0.clientChanged($1, [.writable]) } }
    #expect(bench.halves?.received.interest.changes == .readable)
    let bytes = [UInt8](repeating: 1, count: 1 << 16)
    try await eventually("a client whose buffers are full") {
      while case .moved = target.socket.send(bytes, 0..<bytes.count) {}
      bench.with { $0.targetChanged($1, 0, [.readable]) }
      return bench.halves?.sent.relay.mayWrite == false ? () : nil
    }
    #expect(bench.halves?.received.interest.changes == [.readable, .writable])
    var events = PollEvents(capacity: 16)
    var buffer = bytes
    try await eventually("an event that says that there is room") {
      while case .moved = bench.client?.socket.receive(into: &buffer, atMost: buffer.count) {}
      bench.worker.poller.wait(into: &events, timeout: .zero)
      let isRoom = (0..<events.count).contains {
        Token(events[$0].token).kind == .client && events[$0].readiness.contains(.writable)
      }
      return isRoom ? () : nil
    }
  }

  @Test func `what is asked for again is reported even if it was so before`() async throws {
    let listener = try TCPListener(on: EnginePeer.loopback(0))
    let socket = try TCPSocket(connectingTo: listener.local)
    let poller = try Poller()
    try poller.add(socket, token: 7)
    var events = PollEvents(capacity: 4)
    try await eventually("a connected socket") {
      poller.wait(into: &events, timeout: .zero)
      return events.count == 1 && events[0].readiness == .writable ? () : nil
    }
    try poller.report(socket, .readable, token: 8)
    poller.wait(into: &events, timeout: .zero)
    #expect(events.count == 0)
    try poller.report(socket, [.readable, .writable], token: 9)
    poller.wait(into: &events, timeout: .zero)
    try #require(events.count == 1)
    #expect(events[0].token == 9 && events[0].readiness == .writable)
  }

  @Test func `a rest of one worker is one of all, and the latest end holds`() throws {
    let mailboxes = try [Mailbox(), Mailbox()]
    let common = try Worker.Common(
      workers: 2, budget: DescriptorBudget(descriptors: 1024), keepAliveAge: .seconds(3600))
    let workers = try (0..<2).map { try Worker(index: $0, common: common, mailboxes: mailboxes) }
    let ends = [Instant(sinceZero: .milliseconds(5000)), Instant(sinceZero: .milliseconds(5007))]
    workers[0].turns.rest(until: ends[0])
    for worker in workers { worker.noteColleagues() }
    #expect(workers.map { $0.turns.restsUntil } == [ends[0], ends[0]])
    workers[1].turns.rest(until: ends[1])
    // The first does not know yet, and takes nothing back.
    for worker in workers + workers { worker.noteColleagues() }
    #expect(workers.map { $0.turns.restsUntil } == [ends[1], ends[1]])
  }
}
