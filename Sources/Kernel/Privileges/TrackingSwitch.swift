import Glibc
import SystemPackage

/// Turns connection tracking and byte accounting on, and off again: exactly what it changed itself.
public struct TrackingSwitch: ~Copyable {
  /// What was changed, a sentence each; empty when all was on already.
  public let changes: [String]
  /// The table that goes with the socket; nil when it is another's or stays.
  private let ownedTable: String?
  private let restoresAccounting: Bool
  private let socket: NetlinkSocket

  /// Turns on what is off in this network namespace.
  ///
  /// With `keep` it stays on afterwards. Otherwise `undo` restores accounting, and the kernel removes the
  /// nft table when this value goes or the process ends in any way. Needs CAP_NET_ADMIN.
  public init(keep: Bool) throws(KernelError) {
    var socket = try NetlinkSocket(.netfilter)
    var changes: [String] = []
    // Accounting first: a connection that is tracked before stays uncounted for ever.
    let wasOff = ConntrackSettings.isAccounting() == false
    if wasOff {
      try ConntrackSettings.setAccounting(true)
      changes.append(
        "set net.netfilter.nf_conntrack_acct=1 (was 0); connections that exist already stay uncounted")
    }
    let table = keep ? "bwmon" : "bwmon_\(getpid())"
    var ownedTable: String?
    do throws(KernelError) {
      try socket.perform(TrackingRule.adding(table: table, owned: !keep), "adding nft table inet \(table)")
      changes.append(
        "added nft table inet \(table), whose one rule makes the kernel track connections"
          + (keep ? "; remove it with `nft delete table inet \(table)`" : ""))
      if !keep { ownedTable = table }
    } catch {
      // An earlier run was asked to keep its table: nothing to change, nothing to undo.
      guard case .failed(_, .fileExists) = error else {
        if wasOff { try ConntrackSettings.setAccounting(false) }
        throw error
      }
    }
    self.changes = changes
    self.ownedTable = ownedTable
    restoresAccounting = wasOff && !keep
    self.socket = socket
  }

  /// Undoes the changes; returns what was undone, a sentence each.
  public consuming func undo() throws(KernelError) -> [String] {
    if restoresAccounting { try ConntrackSettings.setAccounting(false) }
    // The kernel removes the table as the socket closes, when this call ends.
    return (restoresAccounting ? ["set net.netfilter.nf_conntrack_acct=0 again"] : [])
      + (ownedTable.map { ["removed nft table inet \($0)"] } ?? [])
  }
}
