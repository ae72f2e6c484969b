public import Model
import Netfilter

/// Who may have sent what is not tracked: the packet sockets of the last readings.
///
/// Untracked bytes are known about a second late: candidates are sockets that were open, and the only ones, at every
/// reading from before those bytes passed until now.
public struct PacketSenders: Sendable {
  private var window = SettlingWindow<Set<PacketSocket>>()

  /// Makes a memory of nothing.
  public init() {}

  /// Takes the packet sockets as they are at `now`.
  public mutating func note(_ sockets: [PacketSocket], at now: Instant) {
    window.append(Set(sockets), at: now)
  }

  /// The sockets that were the only ones all the time; nil when there were others, or none that is there to send.
  public var candidates: Set<UInt64>? {
    let readings = window.span
    guard let sockets = readings.last, sockets.contains(where: \.isSender),
      readings.allSatisfy({ $0 == sockets })
    else { return nil }
    return Set(sockets.map(\.inode))
  }

  /// The one process that holds all of `candidates`, each alone; nil when there are several, or one is unknown.
  public static func owner(
    of candidates: Set<UInt64>, holders: [UInt64: [ProcessIdentity]]
  ) -> ProcessIdentity? {
    let owners = candidates.map { holders[$0] ?? [] }
    guard let owner = owners.first?.first, owners.allSatisfy({ $0 == [owner] }) else { return nil }
    return owner
  }

  /// How much of the `untracked` bytes a sender of frames may have sent, when the interfaces moved `interfaces` in the
  /// same time.
  ///
  /// What came in untracked as well may have passed through, so it is taken off. Less than an eighth of what was sent
  /// is nobody's: a card that cuts packets into segments counts the headers of each (4 % of a bulk transfer).
  public static func share(of untracked: Usage, interfaces: Usage) -> UInt64 {
    guard untracked.sent > untracked.received else { return 0 }
    let share = untracked.sent - untracked.received
    return share >= interfaces.sent / 8 ? share : 0
  }
}
