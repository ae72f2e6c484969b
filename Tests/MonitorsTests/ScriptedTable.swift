import Model
import Netfilter

/// A connection table that shows one snapshot after the other.
final class ScriptedTable: FlowTable {
  let condition: FlowTableCondition
  private var rest: [FlowSnapshot]

  init(_ snapshots: [FlowSnapshot], condition: FlowTableCondition = FlowTableCondition()) {
    rest = snapshots
    self.condition = condition
  }

  func read(into snapshot: inout FlowSnapshot, at now: Instant) {
    snapshot = rest.removeFirst()
  }
}
