public import SystemRuntime

/// Which directories tstat may still be writing: their last row may be cut, and more will come.
public struct SettleRule: Sendable, Hashable {
  /// Why a directory counts as still being written.
  public enum Reason: Sendable, Hashable {
    /// No directory beside it has a later name, and its logs were changed this short a time ago.
    case newest(changed: Duration)
    /// Clocks were set back after the directories with later names were written; its logs were changed this short a time ago.
    case repeatedHour(changed: Duration)
  }

  /// For how long no log may have changed of a directory that is over, unless another time is given.
  public static let standard = SettleRule(.seconds(7200))

  private let time: Duration
  private let isRepeated: @Sendable (String) -> Bool

  /// A directory is over when no log of it was changed for `time`, whatever else there is. `isRepeated` says of a name whether its
  /// minute comes twice.
  public init(
    _ time: Duration, isRepeated: @escaping @Sendable (String) -> Bool = DirectoryName.isRepeated
  ) {
    self.time = time
    self.isRepeated = isRepeated
  }

  /// Rules of the same time are equal.
  public static func == (left: SettleRule, right: SettleRule) -> Bool { left.time == right.time }

  /// By the time.
  public func hash(into hasher: inout Hasher) { hasher.combine(time) }

  /// Returns those of `directories` that may still be written at `now`, by their place in the list.
  ///
  /// The list is in the order of time, with those that were sent: they make the others earlier ones. They are never in the
  /// result themselves, unless `includesProcessed`.
  public func live(
    among directories: [LogDirectory], at now: FileTime, includesProcessed: Bool = false
  ) -> [Int: Reason] {
    var live: [Int: Reason] = [:]
    // In each parent, the last change of all that have later names.
    var later: [String: FileTime] = [:]
    for (index, directory) in directories.enumerated().reversed() {
      let change = directory.lastChange ?? directory.modified
      let laterChange = later.updateValue(
        max(change, later[directory.parent] ?? change), forKey: directory.parent)
      guard includesProcessed || !directory.isProcessed, let changed = directory.lastChange,
        case let age = now.since(changed), age < time
      else { continue }
      if let laterChange {
        let isAfter = (directory.born ?? directory.modified) > laterChange
        if isAfter, isRepeated(directory.name) { live[index] = .repeatedHour(changed: age) }
      } else {
        live[index] = .newest(changed: age)
      }
    }
    return live
  }
}
