import Model
import Patterns

/// Which processes a monitor shows, and whether it shows what stays on this host and what carries tunnels.
public struct MonitorFilter: Sendable {
  /// A process is shown if one of these is found in its command line, or if there are none.
  public var include: [Pattern]
  /// A process is hidden if one of these is found in its command line.
  public var exclude: [Pattern]
  /// True to leave out what moves between two addresses of this host.
  public var ignoresLocal: Bool
  /// True to leave out what carries tunnels whose inner flows are counted as well.
  public var excludesTunnels: Bool

  /// Makes a filter; without arguments, one that shows all.
  public init(
    include: [Pattern] = [], exclude: [Pattern] = [], ignoresLocal: Bool = false,
    excludesTunnels: Bool = false
  ) {
    self.include = include
    self.exclude = exclude
    self.ignoresLocal = ignoresLocal
    self.excludesTunnels = excludesTunnels
  }

  /// Whether a process with this command line is shown. A search that was given up counts as not found, and
  /// is counted in `abandoned`.
  func shows(_ commandLine: String, abandoned: inout UInt64) -> Bool {
    func isFound(_ pattern: Pattern) -> Bool {
      switch pattern.search(commandLine) {
      case .found: return true
      case .notFound: return false
      case .gaveUp:
        abandoned += 1
        return false
      }
    }
    return (include.isEmpty || include.contains(where: isFound)) && !exclude.contains(where: isFound)
  }
}
