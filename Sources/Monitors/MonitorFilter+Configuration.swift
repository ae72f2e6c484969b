import INI
import Patterns

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
