import Glibc
import SystemPackage

/// Turns connection tracking and byte accounting on, and off again: exactly what it changed itself.
public struct TrackingSwitch: ~Copyable {
  /// What was changed, a sentence each; empty when all was on already.
  public let changes: [String]
  private let restoresAccounting: Bool
  private let socket: NetlinkSocket

  /// Turns on what is off in this network namespace.
  ///
  /// With `keep` it stays on afterwards. Otherwise `undo` restores accounting, and the kernel removes the
  /// nft table when this value goes or the process ends in any way. Needs CAP_NET_ADMIN.
  public init(keep: Bool) throws(KernelError) {
    var socket = try NetlinkSocket(.netfilter)
    var changes: [String] = []
    let table = keep ? "bwmon" : "bwmon_\(getpid())"
    do {
      try socket.perform(TrackingRule.adding(table: table, owned: !keep), "adding nft table inet \(table)")
      changes.append(
        "added nft table inet \(table), whose one rule makes the kernel track connections"
          + (keep ? "; remove it with `nft delete table inet \(table)`" : ""))
    } catch .failed(_, .fileExists) {
      // An earlier run was asked to keep its table: nothing to change, nothing to undo.
    }
    var restoresAccounting = false
    if ConntrackSettings.isAccounting() == false {
      try ConntrackSettings.setAccounting(true)
      restoresAccounting = !keep
      changes.append(
        "set net.netfilter.nf_conntrack_acct=1 (was 0); connections that exist already stay uncounted")
    }
    self.changes = changes
    self.restoresAccounting = restoresAccounting
    self.socket = socket
  }

  /// Undoes the changes; returns what was undone, a sentence each.
  public consuming func undo() throws(KernelError) -> [String] {
    guard restoresAccounting else { return [] }
    try ConntrackSettings.setAccounting(false)
    return ["set net.netfilter.nf_conntrack_acct=0 again"]
  }
}
