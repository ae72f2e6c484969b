import INI
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

extension MonitorFilter {
  /// The keys of a section with `type=monitor`.
  public static let keys = ["type", "include", "exclude", "ignorelocal", "excludetunnels"]
  /// Those of them whose value is a regular expression.
  public static let expressions = ["include", "exclude"]

  /// Reads `include`, `exclude`, `ignorelocal` and `excludetunnels`. An empty value is as good as none: the
  /// original's empty `exclude` hid everything.
  public init(_ section: INISection) throws(INIError) {
    try section.checkKeys(known: Self.keys)
    self.init(
      include: try Self.pattern("include", section), exclude: try Self.pattern("exclude", section),
      ignoresLocal: try section.boolean("ignorelocal") ?? false,
      excludesTunnels: try section.boolean("excludetunnels") ?? false)
  }

  private static func pattern(_ key: String, _ section: INISection) throws(INIError) -> [Pattern] {
    guard let entry = try section.singleLine(key), !entry.value.isEmpty else { return [] }
    do throws(PatternError) { return [try Pattern(entry.value)] } catch {
      throw section.error(at: entry, "\(key): \(error)")
    }
  }
}
