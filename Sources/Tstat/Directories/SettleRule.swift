public import SystemRuntime

/// Which directories tstat may still be writing: their last row may be cut, and more will come.
public struct SettleRule: Sendable, Hashable {
  /// Why a directory counts as still being written.
  public enum Reason: Sendable, Hashable {
    /// No directory beside it has a later name, and its logs were changed this short a time ago.
    case newest(changed: Duration)
    /// It was made after the last change of all with later names, so that clocks were set back; its logs were changed this short a
    /// time ago.
    case clockSetBack(changed: Duration)
  }

  /// For how long no log may have changed of a directory that is over, unless another time is given.
  public static let standard = SettleRule(.seconds(7200))

  private let time: Duration

  /// A directory is over when no log of it was changed for `time`, whatever else there is.
  public init(_ time: Duration) { self.time = time }

  /// Returns those of `directories` that may still be written at `now`, by their place in the list.
  ///
  /// The list is in the order of time, with those that were sent: they make the others earlier ones. They are never in the
  /// result themselves, unless `includesProcessed`. A name that is none of tstat's (`backup.out`) makes none of tstat's an earlier
  /// one.
  public func live(
    among directories: [LogDirectory], at now: FileTime, includesProcessed: Bool = false
  ) -> [Int: Reason] {
    var live: [Int: Reason] = [:]
    // In each parent, the last change of all that have later names.
    var later: [String: FileTime] = [:]
    var laterMinutes: [String: FileTime] = [:]
    for (index, directory) in directories.enumerated().reversed() {
      let change = directory.lastChange ?? directory.modified
      let isMinute = Self.isMinute(directory.name)
      let laterChange = (isMinute ? laterMinutes : later)[directory.parent]
      later[directory.parent] = max(change, later[directory.parent] ?? change)
      if isMinute { laterMinutes[directory.parent] = max(change, laterMinutes[directory.parent] ?? change) }
      guard includesProcessed || !directory.isProcessed, let changed = directory.lastChange,
        case let age = now.since(changed), age < time
      else { continue }
      if let laterChange {
        if (directory.born ?? directory.modified) > laterChange { live[index] = .clockSetBack(changed: age) }
      } else {
        live[index] = .newest(changed: age)
      }
    }
    return live
  }

  private static let widths = [4, 2, 2, 2, 2]

  /// Whether a name is one that tstat gives: `YYYY_MM_DD_HH_MM.out`, the local time at which the directory was begun.
  static func isMinute(_ name: String) -> Bool {
    guard name.hasSuffix(".out") else { return false }
    let parts = name.dropLast(4).split(separator: "_", omittingEmptySubsequences: false)
    return parts.map(\.utf8.count) == widths
      && parts.allSatisfy { $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }
  }
}
