import SystemRuntime
import Testing

@testable import Tstat

/// What is removed, in what order, and why the rest stays.
@Suite struct CullPlanTests {
  private static let now = FileTime(seconds: 1_000_000)

  private static func directory(
    _ name: String, sent ago: Duration?, hasProgress: Bool = false, isRoot: Bool = false
  ) -> LogDirectory {
    let age = ago.map { Int64($0 / .nanoseconds(1)) }
    return LogDirectory(
      parent: "/a", name: name, identity: FileIdentity(device: 1, inode: 1), modified: now,
      processedAt: age.map { FileTime(nanoseconds: now.nanoseconds - $0) }, hasProgress: hasProgress,
      isRoot: isRoot)
  }

  private static func run(_ plan: inout CullPlan, failing: Set<Int> = []) -> [Int] {
    var order: [Int] = []
    while let removal = plan.next() {
      order.append(removal.index)
      if !failing.contains(removal.index) { plan.removed(removal.index) }
    }
    return order
  }

  @Test(arguments: [
    (Duration.seconds(3600 * 48), 48, true), (.seconds(3600 * 48) - .nanoseconds(1), 48, false),
    (.seconds(3600 * 48) + .nanoseconds(1), 48, true), (.zero, 0, true), (.zero, -5, true),
    (.nanoseconds(-1), 0, false), (.seconds(-86_400), 48, false), (.seconds(3600 * 200), .max, false),
    (.seconds(3600 * 200), .min, true),
  ])
  func `the boundary of the age is exact`(age: Duration, hours: Int, isRemoved: Bool) {
    var plan = CullPlan(
      [Self.directory("1.out", sent: age)], live: [:], ttlHours: hours, now: Self.now)
    #expect(plan.next() == (isRemoved ? CullPlan.Removal(index: 0, cause: .expired(age: age)) : nil))
    #expect(plan.next() == nil)
    let reason = plan.reason(0)
    if isRemoved {
      #expect(reason == nil)
    } else {
      #expect(reason == (age < .zero ? .future(by: .zero - age) : .young(age: age)))
    }
  }

  @Test func `times at the ends of what there is do not overflow`() {
    for mark in [Int64.min, 0, .max] {
      for now in [Int64.min, 0, .max] {
        var directory = Self.directory("1.out", sent: .zero)
        directory.processedAt = FileTime(nanoseconds: mark)
        var plan = CullPlan([directory], live: [:], ttlHours: .max, now: FileTime(nanoseconds: now))
        #expect(plan.next() == nil)
        #expect(plan.reason(0) != nil)
      }
    }
    #expect(FileTime(seconds: .max) > FileTime(seconds: 0) && FileTime(seconds: .min) < FileTime(seconds: 0))
  }

  @Test(arguments: [nil, Int64(0)])
  func `some are never removed`(maxBytes: Int64?) {
    let old = Duration.seconds(3600 * 1000)
    let directories = [
      Self.directory("1.out", sent: nil), Self.directory("2.out", sent: old, hasProgress: true),
      Self.directory("3.out", sent: old), Self.directory("4.out", sent: old, isRoot: true),
    ]
    let live: [Int: SettleRule.Reason] = [2: .newest(changed: .zero)]
    var plan = CullPlan(
      directories, bytes: [10, 10, 10, 10], live: live, ttlHours: 0, maxBytes: maxBytes, now: Self.now)
    #expect(Self.run(&plan).isEmpty)
    #expect(
      directories.indices.map { plan.reason($0) } == [
        .notProcessed, .unfinished, .live(.newest(changed: .zero)), .root,
      ])
    #expect(plan.totalBytes == 40)
  }

  private struct Size: Sendable {
    var maxBytes: Int64?
    var order: [Int]
    var left: Int64
    var failing: Set<Int> = []
  }

  /// Ages in hours 1, none, 100, 3, 2, each of 10 bytes, in the order of their names.
  @Test(arguments: [
    Size(maxBytes: nil, order: [2], left: 40), Size(maxBytes: 50, order: [2], left: 40),
    Size(maxBytes: 40, order: [2], left: 40), Size(maxBytes: 39, order: [2, 0], left: 30),
    Size(maxBytes: 20, order: [2, 0, 3], left: 20), Size(maxBytes: 0, order: [2, 0, 3, 4], left: 10),
    Size(maxBytes: 30, order: [2, 0, 3], left: 30, failing: [0]),
    Size(maxBytes: .max, order: [2], left: 40),
  ])
  private func `beyond a size the oldest go, whatever their age`(size: Size) {
    let directories = [1, nil, 100, 3, 2].enumerated().map { index, hours in
      Self.directory("\(index).out", sent: hours.map { .seconds(3600 * $0) })
    }
    var plan = CullPlan(
      directories, bytes: [10, 10, 10, 10, 10], live: [:], ttlHours: 48, maxBytes: size.maxBytes,
      now: Self.now)
    #expect(Self.run(&plan, failing: size.failing) == size.order)
    #expect(plan.totalBytes == size.left)
  }

  @Test func `a mark of the future goes only for the size`() {
    let directories = [Self.directory("1.out", sent: .seconds(-10))]
    var plan = CullPlan(directories, bytes: [10], live: [:], ttlHours: 0, maxBytes: 5, now: Self.now)
    #expect(plan.next() == CullPlan.Removal(index: 0, cause: .tooMuch))
  }
}
