import SystemRuntime
import Testing

@testable import Pipes

@Suite struct InterestTests {
  private enum Step { case useless(Readiness), needs(Readiness) }

  /// What each step answers, and what is reported in the end.
  private static func play(_ steps: [Step]) -> (answers: [Bool], changes: Readiness) {
    var interest = Interest()
    let answers = steps.map { step in
      switch step {
      case .useless(let change): interest.sawUseless(change)
      case .needs(let change): interest.needs(change)
      }
    }
    return (answers, interest.changes)
  }

  @Test(arguments: [(Readiness.readable, Readiness.writable), (.writable, .readable)])
  func `after two useless events one kind is reported no longer, until it is waited for`(
    kind: Readiness, other: Readiness
  ) {
    let off = Self.play([.useless(kind), .useless(kind), .needs(other)])
    #expect(off.answers == [false, true, false])
    #expect(off.changes == other)
    let on = Self.play([.useless(kind), .useless(kind), .needs(kind), .needs(kind)])
    #expect(on.answers == [false, true, true, false])
    #expect(on.changes == [.readable, .writable])
  }

  @Test func `an event that was waited for is the end of a row of useless ones`() {
    let rows = Self.play([.useless(.readable), .needs(.readable), .useless(.readable), .needs(.readable)])
    #expect(rows.answers == [false, false, false, false])
    let both = Self.play([.useless(.readable), .useless(.writable), .useless(.readable)])
    #expect(both.answers == [false, false, true])
    #expect(both.changes == .writable)
  }

  @Test func `an event that was on its way when it was given up changes nothing`() {
    let late = Self.play(Array(repeating: .useless(.writable), count: 10) + [.needs(.writable)])
    #expect(late.answers == [false, true] + Array(repeating: false, count: 8) + [true])
  }
}
