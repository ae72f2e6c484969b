import Kernel
import Model

/// The connection table, opened for measuring with the three questions answered: may I, is tracking on, is
/// accounting on.
public enum TrackedTable {
  /// Opens the table as `options` say, raises the fence of `privilege` and hands the table to `body`, with what the
  /// administrator should know. Without a `witness` the owner of each new flow is looked up.
  ///
  /// Turns tracking on first if the options ask for it, says what was changed, and undoes it at the end, however
  /// that comes. Errors: `notPermitted`, `unsupported`, `accountingOff`, and those of `body`.
  public static func with(
    _ options: SourceOptions, _ witness: OpenedWitness, _ privilege: LeastPrivilege,
    _ diagnostics: Diagnostics,
    _ body: (any FlowTable, [Warning]) throws(KernelError) -> Void
  ) throws(KernelError) {
    let table = try options.source.open(
      namespaces: options.readsNamespaces, looks: witness.witness == nil)
    guard options.enableTracking else {
      privilege.fence(diagnostics)
      try body(table, witness.warnings(after: try Preflight.check(isTrackingOurs: options.enableTracking)))
      return
    }
    let tracking = try TrackingSwitch(keep: options.keepTracking)
    privilege.fence(diagnostics)
    for change in tracking.changes { diagnostics.note(change) }
    do throws(KernelError) {
      try body(table, witness.warnings(after: try Preflight.check(isTrackingOurs: options.enableTracking)))
    } catch {
      undo(tracking, diagnostics)
      throw error
    }
    undo(tracking, diagnostics)
  }

  private static func undo(_ tracking: consuming TrackingSwitch, _ diagnostics: Diagnostics) {
    do throws(KernelError) {
      for change in try tracking.undo() { diagnostics.note(change) }
    } catch {
      diagnostics.error(error)
    }
  }
}
