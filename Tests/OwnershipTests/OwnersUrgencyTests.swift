import Lab
import SystemRuntime
import Model
import Testing

@testable import Ownership

/// What is looked at first when one program opens one connection after the other and closes each at once.
@Suite struct OwnersUrgencyTests {
  private let proc = ProcessesFakeProc()

  private func finder() throws -> OwnerFinder {
    try OwnerFinder(root: proc.path, usesEvents: false, at: .now)
  }

  private static func flow(_ id: UInt32) -> Flow {
    let ends = (1...2).map { Endpoint(address: IPAddress(v4: 0x0a00_0000 + UInt32($0)), port: 9) }
    return Flow(
      id: id, original: FlowTuple(source: ends[0], destination: ends[1], transport: .udp),
      reply: FlowTuple(source: ends[1], destination: ends[0], transport: .udp), counters: FlowCounters())
  }

  @Test func `a search that cannot wait ends after those who most likely have the socket`() throws {
    for pid in Int32(10)..<30 { proc.add(pid, start: UInt64(pid), sockets: [3: UInt64(pid) + 500]) }
    var finder = try finder()
    let (old, new) = (ProcessIdentity(pid: 11, startTime: 11), ProcessIdentity(pid: 28, startTime: 28))
    // New sockets of one that started long before others, and of the last but one.
    proc.hold(11, 4, 600)
    proc.hold(28, 4, 601)
    #expect(finder.owner(ofInode: 600, uid: 1000, isUrgent: { true }) == nil)
    #expect(finder.owner(ofInode: 601, uid: 1000, isUrgent: { true })?.owner == new)
    #expect(finder.owner(ofInode: 600, uid: 1000, isUrgent: { false })?.owner == old)
    // Who has just had one comes before that.
    proc.hold(11, 5, 602)
    #expect(finder.owner(ofInode: 602, uid: 1000, isUrgent: { true })?.owner == old)
  }

  @Test func `who has just had a socket is asked before any descriptors are listed`() throws {
    proc.add(10, start: 10, sockets: [3: 500])
    for pid in Int32(20)..<30 {
      let sockets = (Int32(3)..<40).map { ($0, UInt64(pid) * 100 + UInt64($0)) }
      proc.add(pid, start: UInt64(pid), sockets: Dictionary(uniqueKeysWithValues: sockets))
    }
    var finder = try finder()
    #expect(finder.owner(ofInode: 500, uid: 1000)?.owner.pid == 10)
    proc.hold(10, 4, 600)
    let before = finder.looks
    #expect(finder.owner(ofInode: 600, uid: 1000)?.owner.pid == 10)
    #expect(finder.looks - before < 20)
  }

  @Test func `the newest flow is looked at first, and of too many the oldest are not`() {
    var unseen = PendingLookups()
    let count = UInt32(PendingLookups.capacity)
    let start = Instant.now
    for id in 1...count { unseen.add(Self.flow(id), at: start) }
    #expect(unseen.takeOverdue(at: start).isEmpty)
    #expect(unseen.takeNewest()?.id == count)
    for id in 1...3 { unseen.add(Self.flow(count + UInt32(id)), at: start) }
    #expect(unseen.takeOverdue(at: start).map(\.id) == [1, 2])
    let rest = sequence(state: ()) { _ in unseen.takeNewest()?.id }
    #expect(Array(rest) == (3...count + 3).reversed().filter { $0 != count })
    #expect(unseen.isEmpty && unseen.takeOverdue(at: start).isEmpty)
  }

  @Test func `a flow that has waited for too long is not looked at any more`() {
    var unseen = PendingLookups()
    let start = Instant.now
    for id in UInt32(1)...5 { unseen.add(Self.flow(id), at: start + .milliseconds(100 * Int(id))) }
    #expect(unseen.takeOverdue(at: start + .milliseconds(300) + PendingLookups.life).map(\.id) == [1, 2])
    #expect(unseen.takeNewest()?.id == 5)
    #expect(unseen.takeOverdue(at: start + .seconds(2)).map(\.id) == [3, 4])
    #expect(unseen.isEmpty)
  }
}
