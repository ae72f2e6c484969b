extension INISection {
  /// The value of `key`; nil where the section does not set it.
  public func text(_ key: String) -> String? { entry(key)?.value }

  /// The value of `key`; an error where the section does not set it or leaves it empty.
  public func required(_ key: String) throws(INIError) -> String {
    guard let entry = entry(key) else { throw error("[\(name)] needs \(key): add a line \(key)=...") }
    guard !entry.value.isEmpty else { throw error(at: entry, "\(key) is empty: give it a value") }
    return entry.value
  }

  /// The entry of `key` whose value must not go on in a second line; nil where the section does not set it.
  ///
  /// For values that an indented line below would change without a word, such as regular expressions.
  public func singleLine(_ key: String) throws(INIError) -> INIEntry? {
    guard let entry = entry(key) else { return nil }
    guard !entry.value.contains("\n") else {
      throw error(
        at: entry,
        "\(entry.key) goes on in the next line, which is indented: write it in one line, or unindent the next"
      )
    }
    return entry
  }

  /// The whole number of `key`, nil where it is not set; an error for another text or outside `range`.
  public func integer(_ key: String, in range: ClosedRange<Int>) throws(INIError) -> Int? {
    guard let entry = entry(key) else { return nil }
    guard let number = Int(entry.value), range.contains(number) else {
      throw wrong(entry, "a whole number from \(range.lowerBound) to \(range.upperBound)")
    }
    return number
  }

  /// The truth of `key`, nil where it is not set: 1, yes, true, on or 0, no, false, off, in any case.
  public func boolean(_ key: String) throws(INIError) -> Bool? {
    guard let entry = entry(key) else { return nil }
    switch entry.value.lowercased() {
    case "1", "yes", "true", "on": return true
    case "0", "no", "false", "off": return false
    default: throw wrong(entry, "yes or no (or true, false, on, off, 1, 0)")
    }
  }

  /// The time of `key`, nil where it is not set; written as `DurationText` reads it.
  ///
  /// Throws an error for another text or outside `range`, which must lie within a hundred years.
  public func seconds(_ key: String, in range: ClosedRange<Duration>) throws(INIError) -> Duration? {
    guard let entry = entry(key) else { return nil }
    guard let duration = DurationText.duration(entry.value) else {
      throw wrong(entry, "a number of seconds, or one with a unit, for example 10, 0.5, 500ms or 5m")
    }
    guard range.contains(duration) else {
      throw wrong(entry, "from \(Self.short(range.lowerBound)) to \(Self.short(range.upperBound)) seconds")
    }
    return duration
  }

  /// The rate of `key` in units of 1024 bytes per second, nil where it is not set.
  ///
  /// Written `50` or `50.5` in kB/s (1024 bytes per second, as bwmon's files mean it), or with a unit: `50k`,
  /// `50 kB/s`, `1M`, `2 GiB/s`. Throws an error for anything else; `kb` could mean bits and is refused.
  public func rate(_ key: String) throws(INIError) -> Double? {
    guard let entry = entry(key) else { return nil }
    let value = entry.value.unicodeScalars
    let end = value.firstIndex { !("0"..."9").contains($0) && $0 != "." } ?? value.endIndex
    guard let number = DurationText.decimal(Substring(value[..<end])), number < 1e12,
      let factor = Self.rateUnits[String(Substring(value[end...]).trimmed)]
    else {
      throw wrong(
        entry, "a rate in kB/s (1024 bytes per second), or one with a unit, for example 50, 50k or 1.5M")
    }
    return number * factor
  }

  private static let rateUnits: [String: Double] = {
    let prefixes: [(String, Double)] = [
      ("k", 1), ("K", 1), ("m", 1024), ("M", 1024), ("g", 1024 * 1024), ("G", 1024 * 1024),
    ]
    var units = ["": 1.0]
    for (prefix, factor) in prefixes {
      for unit in ["", "B", "iB", "/s", "B/s", "iB/s"] { units[prefix + unit] = factor }
    }
    return units
  }()

  private func wrong(_ entry: INIEntry, _ wanted: String) -> INIError {
    error(at: entry, "\(entry.key)=\(INIError.quoted(entry.value)) must be \(wanted)")
  }

  private static func short(_ number: Double) -> String {
    let text = String(number)
    return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
  }

  private static func short(_ duration: Duration) -> String {
    short(Double(duration.components.seconds) + Double(duration.components.attoseconds) * 1e-18)
  }
}
