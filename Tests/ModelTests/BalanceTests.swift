import Model
import Testing

@Suite struct BalanceTests {
  private static let identity = ProcessIdentity(pid: 7, startTime: 99)
  private static let one = Usage(received: 3, sent: 2)

  @Test(arguments: [
    (Owner.process(identity), Balance(attributed: one)), (.pipe("p"), Balance(attributed: one)),
    (.forwarded, Balance(forwarded: one)), (.kernel, Balance(kernel: one)),
    (.unattributed(.exited), Balance(unattributed: [.exited: one])),
    (.unattributed(.ambiguous), Balance(unattributed: [.ambiguous: one])),
    (.unattributed(.noSocket), Balance(unattributed: [.noSocket: one])),
    (.unattributed(.denied), Balance(unattributed: [.denied: one])),
  ])
  func `every owner has its part`(owner: Owner, expected: Balance) {
    var balance = Balance()
    balance.add(Self.one, of: owner)
    #expect(balance == expected)
    #expect(balance.total == Self.one)
  }

  @Test func `the parts add up to the total`() {
    let owners: [Owner] =
      [.process(Self.identity), .pipe("p"), .forwarded, .kernel]
      + Owner.Reason.allCases.map { .unattributed($0) }
    var balance = Balance()
    var all = Usage.zero
    for (index, owner) in owners.enumerated() {
      for _ in 0..<2 {
        let usage = Usage(received: 1 << UInt64(4 * index), sent: UInt64(index))
        balance.add(usage, of: owner)
        all += usage
      }
    }
    #expect(balance.total == all)
    #expect(
      balance.unattributedTotal
        == Owner.Reason.allCases.reduce(.zero) { $0 + balance.unattributed[$1, default: .zero] })
  }

  @Test(
    arguments: [
      (Usage.zero, Usage.zero, nil), (Usage(received: 50, sent: 50), .zero, 100),
      (Usage(received: 300, sent: 100), Usage(received: 0, sent: 100), 75),
      (Usage(received: 1, sent: 0), Usage(received: 1, sent: 0), 0),
      (Usage(received: 1, sent: 0), Usage(received: 2, sent: 0), 0),
      (Usage(received: .max, sent: .max), Usage(received: .max, sent: 0), 50),
    ] as [(Usage, Usage, Double?)])
  func `coverage is the part of the interfaces' bytes that was tracked`(
    interfaces: Usage, untracked: Usage, coverage: Double?
  ) {
    #expect(Balance(untracked: untracked, interfaces: interfaces).coverage == coverage)
  }

  @Test func `untracked bytes are no part of the total`() {
    var balance = Balance(attributed: Self.one, interfaces: Self.one + Self.one)
    balance.add(Self.one, of: .untracked)
    #expect(balance.untracked == Self.one && balance.total == Self.one && balance.coverage == 50)
  }

  @Test func `what filters hide and what stays on the host are parts of parts`() {
    let balance = Balance(attributed: Self.one, hidden: Self.one, loopback: Self.one)
    #expect(balance.total == Self.one)
  }

  @Test func `two balances add part by part`() {
    var balance = Balance(
      attributed: Self.one, forwarded: Self.one, kernel: Self.one, unattributed: [.exited: Self.one],
      hidden: Self.one, loopback: Self.one, untracked: Self.one, interfaces: Self.one)
    balance += Balance(
      attributed: Self.one, forwarded: .zero, kernel: Self.one,
      unattributed: [.exited: Self.one, .denied: Self.one], hidden: .zero, loopback: Self.one,
      untracked: Self.one, interfaces: .zero)
    let two = Self.one + Self.one
    #expect(
      balance
        == Balance(
          attributed: two, forwarded: Self.one, kernel: two, unattributed: [.exited: two, .denied: Self.one],
          hidden: Self.one, loopback: two, untracked: two, interfaces: Self.one))
  }

  @Test func `health adds every counter`() {
    var health = Health()
    (health.flows, health.uncounted, health.offloaded, health.denied) = (1, 2, 3, 4)
    (health.missedEnds, health.lostEntries, health.counterResets) = (17, 18, 19)
    (health.missedEvents, health.interruptedDumps, health.malformed, health.vanished) = (5, 6, 7, 8)
    (health.evicted, health.abandonedSearches, health.droppedNotifications) = (9, 10, 11)
    health.droppedRecords = 20
    var twice = health
    twice += health
    #expect([twice.flows, twice.uncounted, twice.offloaded, twice.denied] == [2, 4, 6, 8])
    #expect(twice.missedEnds == 34 && twice.lostEntries == 36 && twice.counterResets == 38)
    #expect(
      [twice.missedEvents, twice.interruptedDumps, twice.malformed, twice.vanished] == [10, 12, 14, 16])
    #expect([twice.evicted, twice.abandonedSearches, twice.droppedNotifications] == [18, 20, 22])
    #expect(twice.droppedRecords == 40)
  }

  @Test func `processes are ordered by age`() {
    let old = ProcessIdentity(pid: 9, startTime: 1)
    let young = ProcessIdentity(pid: 1, startTime: 2)
    #expect(
      [young, ProcessIdentity(pid: 2, startTime: 2), old].sorted() == [
        old, young, ProcessIdentity(pid: 2, startTime: 2),
      ])
  }
}
