extension INISection {
  /// This section with the values of variables: a value that is `${NAME}` or `${NAME:default}` as a whole becomes what
  /// `variable` has for NAME, as tstat_transport 0.6.8 does it.
  ///
  /// A variable that is set but empty makes an empty value. One that is not set makes the default, which ends at the next
  /// `:`; without a default the value stays as it is written. All else in a value is taken as it is.
  public func expanding(_ variable: (String) -> String?) -> INISection {
    INISection(
      name: name, file: file, line: line,
      entries: entries.map { entry in
        INIEntry(key: entry.key, value: Self.expanded(entry.value, variable), line: entry.line)
      })
  }

  /// Warnings for values that are most likely not meant so: a variable that is not set and has no default, a comment behind a
  /// value, which belongs to it. No warning has the value.
  public func warningsOfValues(_ variable: (String) -> String?) -> [INIWarning] {
    entries.compactMap { entry in
      if entry.value.hasPrefix("${"), Self.expanded(entry.value, variable) == entry.value {
        return INIWarning(
          file: file, line: entry.line,
          what:
            "the variable of \(entry.key) is not set: the value is taken as it is written; set it, or give a default"
        )
      }
      guard entry.value.contains(" #") || entry.value.contains(" ;") else { return nil }
      return INIWarning(
        file: file, line: entry.line,
        what: "a # or ; belongs to the value of \(entry.key): write a comment in a line of its own")
    }
  }

  private static func expanded(_ value: String, _ variable: (String) -> String?) -> String {
    guard value.hasPrefix("${"), value.hasSuffix("}") else { return value }
    let parts = value.dropFirst(2).dropLast().split(
      separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
    guard let name = parts.first, !name.isEmpty else { return value }
    if let found = variable(String(name)) { return found }
    return parts.count > 1 ? String(parts[1]) : value
  }
}
