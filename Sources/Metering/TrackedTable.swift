import Diagnosis
import Model
import Netfilter
import Ownership
import Program
import SystemRuntime

/// The connection table, opened for measuring with the three questions answered: may I, is tracking on, is
/// accounting on.
public enum TrackedTable {
  /// Opens the table as `options` say, raises the fence of `privilege` and hands the table to `body`, with what the
  /// administrator should know. Without a `witness` the owner of each new flow is looked up.
  ///
  /// Turns tracking on first if the options ask for it, says what was changed, and undoes it at the end, however
  /// that comes; by `note` another process knows what one that was killed left. Errors: `notPermitted`; `unsupported` and `accountingOff` where there is no witness either,
  /// `unsupported` also where tracking cannot be turned on; those of `body`.
  public static func with(
    _ options: SourceOptions, _ witness: OpenedWitness, _ privilege: LeastPrivilege,
    _ diagnostics: Diagnostics, note: SharedFlag? = nil,
    _ body: (any FlowTable, [Warning]) throws(KernelError) -> Void
  ) throws(KernelError) {
    guard options.enableTracking else {
      let table = try open(options, witness)
      privilege.fence(diagnostics)
      return try body(table, notes(of: table, options) + (try warnings(witness, says: diagnostics)))
    }
    // Who asks for tracking is not served by a table that has none.
    let table = try options.source.open(
      namespaces: options.readsNamespaces, looks: witness.witness == nil)
    let tracking = try TrackingSwitch(keep: options.keepTracking, note: note)
    privilege.fence(diagnostics)
    for change in tracking.changes { diagnostics.note(change) }
    do throws(KernelError) {
      try body(
        table, notes(of: table, options) + (try warnings(witness, isTrackingOurs: true, says: diagnostics)))
    } catch {
      undo(tracking, diagnostics)
      throw error
    }
    undo(tracking, diagnostics)
  }

  /// Opens the table as `options` say. With a witness a kernel without a table has an empty one. Errors:
  /// `notPermitted`, `unsupported`.
  public static func open(
    _ options: SourceOptions, _ witness: OpenedWitness
  ) throws(KernelError) -> any FlowTable {
    do throws(KernelError) {
      return try options.source.open(namespaces: options.readsNamespaces, looks: witness.witness == nil)
    } catch {
      guard case .unsupported = error, witness.witness != nil, options.source == .auto else { throw error }
      return NoFlowTable()
    }
  }

  /// What the administrator should know before the first measurement. Errors: those of `Preflight.check`; why there is
  /// no witness is said first, since one would do.
  public static func warnings(
    _ witness: OpenedWitness, isTrackingOurs: Bool = false, says diagnostics: Diagnostics
  ) throws(KernelError) -> [Warning] {
    let known: [Warning]
    do throws(KernelError) {
      known = try Preflight.check(isTrackingOurs: isTrackingOurs, isWitnessed: witness.witness != nil)
    } catch {
      for warning in witness.warnings(after: []) { diagnostics.warning(warning) }
      throw error
    }
    return witness.warnings(after: known)
  }

  /// That /proc must do, where that is not what was asked for.
  private static func notes(of table: any FlowTable, _ options: SourceOptions) -> [Warning] {
    guard options.source == .auto, table is ProcfsFlowTable else { return [] }
    return [
      Warning(
        code: "table_of_procfs",
        text:
          "the connection table is read from /proc, because netlink does not answer this user: the last bytes of "
          + "connections that end between two reports are missed. "
          + KernelError.privilegeSentence(["CAP_NET_ADMIN"]))
    ]
  }

  /// Turns accounting off if `note` says that a process that was killed left it on, and says so.
  public static func undoAccounting(of note: SharedFlag, _ diagnostics: Diagnostics) {
    do throws(KernelError) {
      for change in try TrackingSwitch.undoAccounting(of: note) { diagnostics.note(change) }
    } catch {
      diagnostics.error(error)
    }
  }

  private static func undo(_ tracking: consuming TrackingSwitch, _ diagnostics: Diagnostics) {
    do throws(KernelError) {
      for change in try tracking.undo() { diagnostics.note(change) }
    } catch {
      diagnostics.error(error)
    }
  }
}
