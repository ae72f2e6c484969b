import Model
import Netfilter
import Ownership
import SystemRuntime
import Testing

@testable import Monitors

/// Conditions of one measurement after the other in, what is said out.
@Suite struct WarningBoardTests {
  struct Row: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var warnings: [String] = []
    var ticks: [(conditions: Conditions, codes: [String])]
  }

  private static let well = ConntrackState(count: 10, limit: 1000, isAccounting: true)
  private static let off = ConntrackState(count: 10, limit: 1000, isAccounting: false)

  private static func holding(_ count: Int, flows: Int = 0) -> Conditions {
    Conditions(state: ConntrackState(count: count, limit: 1000, isAccounting: true), flows: flows)
  }

  private static let denied = DeniedProcesses(count: 1, names: ["1 (init)"], isMendable: true)

  private static let unseen = Conditions.Untracked(bytes: 1, time: .seconds(6))
  private static let broken = KernelError.unsupported("x")
  private static let failed = Conditions.Naming.failed(.unsupported("x"))

  static let rows = [
    Row(testDescription: "all is well", ticks: [(Conditions(state: well), []), (Conditions(), [])]),
    Row(
      testDescription: "accounting off, on and off",
      ticks: [
        (Conditions(state: well), []), (Conditions(state: off), ["accounting_off"]),
        (Conditions(state: off, uncounted: 1), []), (Conditions(), []), (Conditions(state: off), []),
        (Conditions(state: well), []), (Conditions(state: off), ["accounting_off"]),
      ]),
    Row(
      testDescription: "what was made while accounting was off",
      ticks: [
        (Conditions(state: off, uncounted: 1), ["accounting_off"]),
        (Conditions(state: well, uncounted: 1), ["uncounted"]),
        (Conditions(state: off, uncounted: 2), ["accounting_off"]),
        (Conditions(state: well, uncounted: 2), []), (Conditions(state: well), []),
        (Conditions(state: well, uncounted: 2), []),
      ]),
    Row(
      testDescription: "a table that fills, empties and fills",
      ticks: [
        (holding(949), []), (holding(950), ["table_full"]), (holding(949), []), (holding(1000), []),
        (holding(900), []), (holding(950), []), (holding(899), []), (holding(950), ["table_full"]),
      ]),
    Row(
      testDescription: "entries that are listed, or only counted",
      ticks: [
        (holding(0, flows: 950), ["table_full"]), (holding(899, flows: 900), []),
        (holding(899, flows: 1), []),
        (holding(999, flows: 1), ["table_full"]), (Conditions(state: ConntrackState(count: 1)), []),
        (holding(999, flows: 1), []),
      ]),
    Row(
      testDescription: "sockets that cannot be read, can be and cannot; while nothing moves nobody knows",
      ticks: [
        (Conditions(naming: failed), ["unread_sockets"]), (Conditions(naming: failed), []),
        (Conditions(), []), (Conditions(naming: failed), []), (Conditions(naming: .read), []),
        (Conditions(), []), (Conditions(naming: failed), ["unread_sockets"]),
      ]),
    Row(
      testDescription: "what cannot end is said once",
      ticks: [
        (
          Conditions(state: well, isOffloaded: true, denied: denied, unreadNamespaces: 1, counterResets: 1),
          ["unread_namespaces", "denied", "offloaded", "counters_reset"]
        ),
        (Conditions(state: well), []),
        (
          Conditions(state: well, isOffloaded: true, denied: denied, unreadNamespaces: 2, counterResets: 2),
          []
        ),
      ]),
    Row(
      testDescription: "what lasts is taken back when it ends",
      ticks: [
        (Conditions(state: well, interfaces: broken), ["unread_interfaces"]),
        (Conditions(state: well, interfaces: broken, events: broken), ["no_events"]),
        (
          Conditions(state: well, untracked: unseen, events: broken),
          ["tracking_ended", "-unread_interfaces"]
        ),
        (Conditions(state: well, untracked: unseen, events: broken), []),
        (Conditions(state: well, events: broken), ["-tracking_ended"]),
        (Conditions(state: well), ["-no_events"]), (Conditions(state: well), []),
        (Conditions(state: well, interfaces: broken), ["unread_interfaces"]),
      ]),
    Row(
      testDescription: "why processes may not be read was said at the start",
      warnings: ["missing_capabilities"],
      ticks: [
        (Conditions(state: well, denied: denied), ["missing_capabilities"]), (Conditions(denied: denied), []),
      ]),
  ]

  @Test(arguments: rows) func `each condition is said when it begins`(row: Row) {
    var board = WarningBoard(row.warnings.map { Warning(code: $0, text: "") })
    for (number, tick) in row.ticks.enumerated() {
      let said = board.changes(of: tick.conditions).map { ($0.isResolved ? "-" : "") + $0.code }
      #expect(said == tick.codes, "\(number)")
    }
  }

  @Test func `processes that nobody here may read are a note with their names, others a warning`() {
    let unreadable = DeniedProcesses(count: 5, names: ["1 (init)"], isMendable: false).warning
    #expect(unreadable.isNote && unreadable.text.contains("1 (init) and 4 more"))
    #expect(!Self.denied.warning.isNote && Self.denied.warning.text.contains(KernelError.privilegeSentence()))
  }
}
