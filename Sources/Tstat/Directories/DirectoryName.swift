import SystemRuntime

/// What tstat's name for a directory says: `YYYY_MM_DD_HH_MM.out`, the local time at which it was begun.
public enum DirectoryName {
  private static let widths = [4, 2, 2, 2, 2]

  /// The minute of a name; nil for other names.
  public static func minute(of name: String) -> LocalMinute? {
    guard name.hasSuffix(".out") else { return nil }
    let parts = name.dropLast(4).split(separator: "_", omittingEmptySubsequences: false)
    guard parts.map(\.utf8.count) == widths,
      parts.allSatisfy({ $0.utf8.allSatisfy { (0x30...0x39).contains($0) } })
    else { return nil }
    let numbers = parts.compactMap { Int32($0) }
    return LocalMinute(
      year: numbers[0], month: numbers[1], day: numbers[2], hour: numbers[3], minute: numbers[4])
  }

  /// Whether the name's minute comes twice on this host, because clocks are set back.
  public static func isRepeated(_ name: String) -> Bool { minute(of: name)?.isRepeated ?? false }
}
