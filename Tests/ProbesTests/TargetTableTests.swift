import Model
import SystemRuntime
import Testing

@testable import Probes

@Suite struct TargetTableTests {
  private func target(_ number: UInt32) -> ProbedTarget {
    ProbedTarget(number, ProbeJob(number: Int(number), target: ProbeTarget(name: "x", address: .anyV4))) {
      _, _ in .now
    }
  }

  /// Numbers that follow each other, that meet in one slot, and that wrap.
  @Test(
    arguments: [
      [], [7], Array(1...1000), [1, 9, 17, 25], [0, .max, .max - 1, 1], [3, 1 << 31 | 3, 1 << 20 | 3, 4],
    ] as [[UInt32]])
  func `each number has its target, and others have none`(numbers: [UInt32]) {
    let table = TargetTable(numbers.map(target))
    for number in numbers { #expect(table[number]?.number == number) }
    for number in [2, 5, 1001, 33, .max - 2] as [UInt32] where !numbers.contains(number) {
      #expect(table[number] == nil)
    }
    #expect(table.all.map(\.number).sorted() == numbers.sorted())
  }

  /// The place of an entry in each target's list of moments.
  @Test func `there is room for a moment of each kind`() {
    let target = target(1)
    for kind in ProbedTarget.Kind.allCases {
      let moment = Instant.now
      #expect(target.setWake(kind, to: moment) && target.isDue(kind, at: moment))
    }
  }
}
