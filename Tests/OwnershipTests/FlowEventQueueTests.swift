import KernelLab
import SystemRuntime
import Lab
import Glibc
import Model
import Testing

@testable import Netfilter
@testable import Ownership

/// What the listening thread hands to the measuring loop.
@Suite struct FlowEventQueueTests {
  @Test func `who runs another program is handed over once`() {
    let queue = FlowEventQueue()
    let identities = (Int32(1)...3).map { ProcessIdentity(pid: $0, startTime: 7) }
    for identity in identities { queue.write { $0.append(FlowEventQueue.Batch(renamed: [identity])) } }
    let batch = queue.take()
    #expect(batch.renamed == identities)
    #expect(queue.take().renamed.isEmpty)
    var snapshot = FlowSnapshot()
    snapshot.replace { (_: inout [Flow]) in }
    snapshot.add(batch)
    #expect(snapshot.renamed == identities)
    snapshot.replace { (_: inout [Flow]) in }
    #expect(snapshot.renamed.isEmpty)
  }

  @Test func `what there is no room for waits for its turn to be read again`() {
    var batch = FlowEventQueue.Batch()
    let many = Array(repeating: ProcessIdentity(pid: 1, startTime: 7), count: FlowEventQueue.capacity - 1)
    for _ in 0..<3 { batch.append(FlowEventQueue.Batch(renamed: many)) }
    #expect(batch.renamed.count == FlowEventQueue.capacity)
    #expect(batch.surplus == UInt64(3 * (FlowEventQueue.capacity - 1) - FlowEventQueue.capacity))
  }

  @Test(arguments: [(0, 0), (16, 0), (17, 1), (40, 24)])
  func `long command lines have a bound in bytes`(megabytes: Int, surplus: UInt64) {
    var batch = FlowEventQueue.Batch()
    let line = String(repeating: "x", count: 1 << 20)
    for pid in 0..<Int32(megabytes) {
      let identity = ProcessIdentity(pid: pid, startTime: 7)
      let description = ProcessDescription(
        identity: identity, uid: 0, executable: nil, arguments: [], commandLine: line)
      batch.append(FlowEventQueue.Batch(descriptions: [identity: description]))
    }
    #expect(batch.surplus == surplus && batch.descriptions.count == megabytes - Int(surplus))
  }

  /// One process is described again for each of its flows: an hour of them must leave room for the others.
  @Test func `a description that is replaced gives its room back`() {
    var batch = FlowEventQueue.Batch()
    let busy = ProcessIdentity(pid: 1, startTime: 7)
    func describe(_ identity: ProcessIdentity, _ kilobytes: Int) {
      // The arguments hold the same text again.
      let line = String(repeating: "x", count: kilobytes << 9)
      batch.append(
        FlowEventQueue.Batch(descriptions: [
          identity: ProcessDescription(
            identity: identity, uid: 0, executable: nil, arguments: [line], commandLine: line)
        ]))
    }
    for _ in 0..<300 { describe(busy, 128) }
    #expect(batch.surplus == 0 && batch.descriptions.count == 1 && batch.text == 128 << 10)
    // Longer and shorter ones are counted as they are, to the last byte.
    describe(busy, 16 << 10)
    #expect(batch.surplus == 0 && batch.text == FlowEventQueue.text)
    let other = ProcessIdentity(pid: 2, startTime: 7)
    describe(other, 1)
    #expect(batch.surplus == 1 && batch.descriptions[other] == nil)
    describe(busy, (16 << 10) - 1)
    describe(other, 1)
    #expect(batch.surplus == 1 && batch.descriptions[other] != nil && batch.text == FlowEventQueue.text)
  }

  /// Where the kernel reports processes: on a host, not in a container.
  @Test(.needs(.root))
  func `the kernel's event of another program comes with the table`()
    throws
  {
    if (try? ProcConnector()) == nil { try Requirement.skip(for: "proc_connector") }
    let table = try LiveFlowTable()
    var snapshot = FlowSnapshot()
    try table.read(into: &snapshot, at: .now)
    let child = try OwnersChild(["sh", "-c", "exec sleep 1000"])
    var isReported = false
    // Half a minute, which only a failing test waits for.
    for _ in 0..<30_000 where !isReported {
      try table.read(into: &snapshot, at: .now)
      isReported = snapshot.renamed.contains { $0.pid == child.pid }
      usleep(1_000)
    }
    #expect(isReported)
  }
}
