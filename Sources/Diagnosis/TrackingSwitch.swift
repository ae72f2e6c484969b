import Glibc
import Netfilter
import SystemRuntime
import SystemPackage

/// Turns connection tracking and byte accounting on, and off again: exactly what it changed itself.
public struct TrackingSwitch: ~Copyable {
  /// What was changed, a sentence each; empty when all was on already.
  public let changes: [String]
  /// The table that goes with the socket; nil when it is another's or stays.
  private let ownedTable: String?
  /// What is turned off again; nil when it was on or stays.
  private let accounting: AccountingSwitch?
  /// Set while accounting is to be turned off again.
  private let note: SharedFlag?
  private let socket: NetlinkSocket

  /// Turns on what is off in this network namespace.
  ///
  /// With `keep` it stays on afterwards. Otherwise `undo` restores accounting, and the kernel removes the
  /// nft table when this value goes or the process ends in any way. `note` is set before accounting is turned on, and as long
  /// as that is not undone, so that another process can (`undoAccounting`). Where it is set already a process of ours that
  /// was killed left accounting on: it is undone as well. Needs CAP_NET_ADMIN. Errors: `notPermitted`
  /// without it, `tableTaken` where another process owns the table that is to be kept.
  public init(keep: Bool, note: SharedFlag? = nil) throws(KernelError) {
    var socket = try NetlinkSocket(.netfilter)
    var changes: [String] = []
    // Accounting first: a connection that is tracked before stays uncounted for ever.
    let isOff = ConntrackSettings.isAccounting() == false
    let accounting = isOff || note?.isSet == true ? try AccountingSwitch() : nil
    if isOff {
      // Whoever is killed between the two leaves a note too many, and not a switch that nobody knows of.
      if !keep { note?.isSet = true }
      try accounting?.set(true)
      changes.append(
        "set net.netfilter.nf_conntrack_acct=1 (was 0); connections that exist already count with the payload of their "
          + "sockets, TCP's within 0.5 %")
    }
    let table = Self.table(keep: keep)
    let operation = "adding nft table inet \(table)"
    var ownedTable: String?
    do throws(KernelError) {
      try socket.perform(TrackingRule.adding(table: table, owned: !keep), operation)
      changes.append(
        "added nft table inet \(table), whose one rule makes the kernel track connections"
          + (keep ? "; remove it with `nft delete table inet \(table)`" : ""))
      if !keep { ownedTable = table }
    } catch {
      // An earlier run was asked to keep its table: nothing to change, nothing to undo.
      guard keep, case .failed(_, .fileExists) = error else {
        try accounting?.set(false)
        note?.isSet = false
        throw Self.reason(error, table)
      }
    }
    self.changes = changes
    self.ownedTable = ownedTable
    self.accounting = keep ? nil : accounting
    self.note = note
    self.socket = socket
  }

  /// Two processes of one network namespace may have the same number, each in a container of its own.
  private static func table(keep: Bool) -> String {
    keep ? "bwmon" : "bwmon_\(getpid())_" + String(UInt32.random(in: 1 ... .max), radix: 36)
  }

  /// Who may ask for the table has CAP_NET_ADMIN: then EPERM says that another process owns it. A new socket has no
  /// answers to the messages before.
  private static func reason(_ error: KernelError, _ table: String) -> KernelError {
    guard case .notPermitted(let operation) = error else { return error }
    do throws(KernelError) {
      var socket = try NetlinkSocket(.netfilter)
      try socket.perform([TrackingRule.asking(table: table)], operation)
      return .tableTaken(table)
    } catch {
      return .notPermitted(operation)
    }
  }

  /// Undoes the changes; returns what was undone, a sentence each.
  public consuming func undo() throws(KernelError) -> [String] {
    try accounting?.set(false)
    if accounting != nil { note?.isSet = false }
    // The kernel removes the table as the socket closes, when this call ends.
    return (accounting != nil ? [Self.accountingUndone] : [])
      + (ownedTable.map { ["removed nft table inet \($0)"] } ?? [])
  }

  /// Turns accounting off if `note` says that a process that was killed left it on; returns what was undone, a sentence each.
  public static func undoAccounting(of note: SharedFlag) throws(KernelError) -> [String] {
    guard note.isSet else { return [] }
    try AccountingSwitch().set(false)
    note.isSet = false
    return [accountingUndone]
  }

  private static let accountingUndone = "set net.netfilter.nf_conntrack_acct=0 again"
}
