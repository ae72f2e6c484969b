public import INI
import Model
import Patterns

/// A limit on what probes find of targets.
public struct ProbeRule: Sendable {
  /// What raises an alert, and what ends it.
  struct Level: Sendable, Hashable {
    /// A value above this is too much.
    var threshold: Double
    /// A value that is not above this is over; at most the threshold.
    var clear: Double
  }

  /// The name of the section.
  public let name: String
  let filter: Pattern?
  let levels: [ProbeAlert.Measure: Level]
  /// The time that a value is over; zero for the last round alone.
  public let interval: Duration
  let timing: AlertTiming
  /// Whether it wants a notification when a route has changed.
  let tellsRoutes: Bool

  /// Whether it has a limit: one that only wants notifications of routes has none.
  public var hasLimits: Bool { !levels.isEmpty }

  /// What tells the filter of a reloaded rule from the one before.
  var filterSource: String { filter?.source ?? "" }
}

extension ProbeRule {
  /// The keys of a section that are read here and nowhere else.
  public static let ownKeys = [
    "probe_filter", "loss_threshold", "loss_clear", "rtt_threshold", "rtt_clear", "down", "route_change",
  ]

  /// All keys of a section that are read here.
  public static let keys = ownKeys + ["interval", "for", "keep_firing_for", "repeat"]

  /// Those of them whose value is a regular expression.
  public static let expressions = ["probe_filter"]

  private static let day = Duration.seconds(86_400)

  /// Reads a section of a notification file; nil where it has no limit for probes.
  ///
  /// `loss_threshold` is in percent, `rtt_threshold` in milliseconds, `down=yes` is for targets of which nothing answers;
  /// `route_change=yes` for traces; `probe_filter` is searched in their names and addresses. The value is that of the last round, or with `interval` that of
  /// the rounds in that time. Throws an error for a wrong value, and a clear level above its threshold or without one.
  public init?(_ section: INISection) throws(INIError) {
    guard Self.ownKeys.contains(where: { section.entry($0) != nil }) else { return nil }
    var levels: [ProbeAlert.Measure: Level] = [:]
    levels[.loss] = try Self.level(of: section, .loss, most: 100)
    levels[.roundTrip] = try Self.level(of: section, .roundTrip, most: 3_600_000)
    if try section.boolean("down") ?? false { levels[.down] = Level(threshold: 0, clear: 0) }
    if let entry = section.entry("process_filter"), !ThresholdRule.hasThreshold(section) {
      throw section.error(
        at: entry,
        "process_filter is for limits of bandwidth: write probe_filter, or set in_threshold or out_threshold")
    }
    tellsRoutes = try section.boolean("route_change") ?? false
    guard !levels.isEmpty || tellsRoutes else {
      throw section.error(
        "[\(section.name)] has no limit for probes: set loss_threshold (%), rtt_threshold (ms), down=yes or "
          + "route_change=yes")
    }
    self.levels = levels
    name = section.name
    filter = section.text("probe_filter")?.isEmpty ?? true ? nil : try Pattern("probe_filter", of: section)
    interval = try section.seconds("interval", in: .milliseconds(100)...Self.day) ?? .zero
    timing = AlertTiming(
      hold: try section.seconds("for", in: .zero...Self.day) ?? .zero,
      keepFiring: try section.seconds("keep_firing_for", in: .zero...Self.day) ?? .zero,
      repeatInterval: try section.seconds("repeat", in: .seconds(1)...Self.day * 31))
  }

  private static func level(
    of section: INISection, _ measure: ProbeAlert.Measure, most: Double
  ) throws(INIError) -> Level? {
    let key = measure.rawValue
    let threshold = try number("\(key)_threshold", of: section, most: most, unit: measure.unit)
    let clear = try number("\(key)_clear", of: section, most: most, unit: measure.unit)
    guard let threshold else {
      guard let entry = section.entry("\(key)_clear") else { return nil }
      throw section.error(
        at: entry, "\(entry.key) needs a limit that it clears: set \(key)_threshold, or remove it")
    }
    if measure == .loss, threshold >= most, let entry = section.entry("loss_threshold") {
      throw section.error(
        at: entry,
        "loss_threshold=100 is never exceeded: write less, or down=yes for a target that does not answer")
    }
    if let clear, let entry = section.entry("\(key)_clear"), clear > threshold {
      throw section.error(
        at: entry, "\(entry.key) is above \(key)_threshold, so the alert would never hold: lower it")
    }
    return Level(threshold: threshold, clear: clear ?? threshold)
  }

  private static func number(
    _ key: String, of section: INISection, most: Double, unit: String
  ) throws(INIError) -> Double? {
    guard let entry = section.entry(key) else { return nil }
    var text = entry.value
    if text.hasSuffix(unit) {
      text = String(text.dropLast(unit.count))
      while text.last == " " { text.removeLast() }
    }
    guard let number = Double(text), number >= 0, number <= most else {
      throw section.error(
        at: entry,
        "\(entry.key)=\(INIError.quoted(entry.value)) must be a number from 0 to \(Int(most)), in \(unit)"
      )
    }
    return number
  }
}
