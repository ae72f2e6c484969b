import Lab
import KernelLab
import Model
import SystemRuntime
import Testing

@testable import Netfilter
@testable import Ownership

/// The thread that follows the running kernel's events of its connection table, in a namespace of the test's own.
@Suite(.needs(.namespaces))
struct ConntrackEventThreadTests {
  @Test func `an end that is reported again, because another listener has stalled, counts once`() throws {
    try ConntrackLab.inside {
      var stalled = try ConntrackEvents(receiveBuffer: 4_096)
      var other = try ConntrackEvents()
      let listener = try ConntrackEventThread()
      try ConntrackLab.makeFlows(500)
      try ConntrackLab.run(["conntrack", "-F"])
      // What one of them has no room for all hear again, at each try.
      var reported = 0
      let isRepeated = try ConntrackLab.eventually {
        _ = try other.receive(limit: 10_000) { if case .destroyed = $0 { reported += 1 } }
        return reported > 510
      }
      #expect(isRepeated)
      stalled.setReliable(false)
      let isOver = ConntrackLab.eventually { ConntrackSettings.count() == 0 }
      let hasReceivedAll = ConntrackLab.eventually { listener.settle() }
      #expect(isOver && hasReceivedAll)
      let ended = listener.queue.take().ended.filter { $0.original.transport == .udp }
      #expect(ended.map(\.original.destination.port).sorted() == Array(1...500))
    }
  }

  @Test(arguments: [true, false])
  func `all that was reported before a question is in the queue after its answer, or when it rests`(
    asks: Bool
  )
    throws
  {
    try ConntrackLab.inside {
      let listener = try ConntrackEventThread()
      for round in 1...20 {
        try ConntrackLab.makeFlows(200)
        try ConntrackLab.run(["conntrack", "-F"])
        let isAnswered = ConntrackLab.eventually { asks ? listener.settle() : listener.hasReceivedAll }
        let batch = listener.queue.take()
        #expect(isAnswered, "\(round)")
        #expect(batch.created.count { $0.original.transport == .udp } == 200, "\(round)")
        #expect(batch.ended.count { $0.original.transport == .udp } == 200, "\(round)")
        // Memory that was freed is used again first: some have the identifier and the ends of one before.
        let numbered = Set(batch.created.filter { $0.generation != 0 })
        #expect(numbered.count == batch.created.count { $0.generation != 0 })
        #expect(Set(batch.ended.map(\.identity)) == Set(batch.created))
      }
    }
  }

  /// Above the limit every reading is a dump, below it the dump after the loss is the only one.
  @Test(arguments: [UInt16(LiveFlowSet.queryLimit - 100), ConntrackLab.flows])
  func `a listener without room counts what it lost, and has all that lives and its bytes`(count: UInt16)
    throws
  {
    try ConntrackLab.inside {
      let table = try LiveFlowTable { (_, _) throws(KernelError) in
        try ConntrackEventThread(receiveBuffer: 4_096)
      }
      var snapshot = FlowSnapshot()
      try table.read(into: &snapshot, at: .now)
      try ConntrackLab.makeFlows(count)
      #expect(try Self.hasLost(table, &snapshot))
      for _ in 0..<2 {
        try table.read(into: &snapshot, at: .now)
        let ours = snapshot.flows.prefix(snapshot.livingCount).filter { $0.original.transport == .udp }
        #expect(Set(ours.map(\.original.destination.port)) == Set(1...count))
        #expect(ours.reduce(0) { $0 + $1.counters.originalBytes } == 128 * UInt64(count))
      }
    }
  }

  @Test func `a listener that fell behind keeps no ended entry in the table`() throws {
    try ConntrackLab.inside {
      let table = try LiveFlowTable { (_, _) throws(KernelError) in
        try ConntrackEventThread(receiveBuffer: 4_096)
      }
      var snapshot = FlowSnapshot()
      try table.read(into: &snapshot, at: .now)
      try ConntrackLab.makeFlows()
      #expect(try Self.hasLost(table, &snapshot))
      try ConntrackLab.run(["conntrack", "-F"])
      // Reliable delivery keeps nearly all of them for seconds.
      #expect((ConntrackSettings.count() ?? .max) < Int(ConntrackLab.flows) / 10)
      #expect(ConntrackLab.eventually { ConntrackSettings.count() == 0 })
    }
  }

  /// Waits until the table has counted a loss.
  private static func hasLost(_ table: LiveFlowTable, _ snapshot: inout FlowSnapshot) throws -> Bool {
    try ConntrackLab.eventually {
      try table.read(into: &snapshot, at: .now)
      return table.condition.missedEvents > 0
    }
  }
}

extension ConntrackEventThread {
  /// Waits as long as one reading may.
  func settle() -> Bool {
    var patience = Self.patience
    return settle(within: &patience)
  }
}
