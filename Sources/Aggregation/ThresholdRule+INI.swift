import INI
import Model
import Patterns

extension ThresholdRule {
  /// The keys of a section that are read here.
  public static let keys = [
    "process_filter", "in_threshold", "out_threshold", "notification_threshold", "interval", "for",
    "keep_firing_for", "in_clear", "out_clear", "repeat",
  ]

  /// Those of them whose value is a regular expression.
  public static let expressions = ["process_filter"]

  private static let day = Duration.seconds(86_400)

  /// Reads a section of a notification file; throws an error for a wrong value, a clear level above its
  /// threshold or without one, and a section without any threshold. One whose thresholds are all 0 says nothing, as
  /// in the original, with a warning.
  ///
  /// Keys that are not in `keys` are left to others.
  public init(_ section: INISection) throws(INIError) {
    let both = try section.rate("notification_threshold")
    let received = try Self.level(of: section, "in", default: both)
    let sent = try Self.level(of: section, "out", default: both)
    let hasLimit = received != nil || sent != nil
    guard hasLimit || Self.thresholds.contains(where: { section.entry($0) != nil }) else {
      throw section.error(
        "[\(section.name)] has no limit: set in_threshold or out_threshold to more than 0, in kB/s, or of probes "
          + "loss_threshold, rtt_threshold, down or route_change")
    }
    self.init(
      name: section.name, filter: try Self.filter(of: section), received: received, sent: sent,
      interval: try section.seconds("interval", in: .milliseconds(100)...Self.day) ?? .seconds(1),
      hold: try section.seconds("for", in: .zero...Self.day) ?? .zero,
      keepFiring: try section.seconds("keep_firing_for", in: .zero...Self.day) ?? .zero,
      repeatInterval: try section.seconds("repeat", in: .seconds(1)...Self.day * 31),
      warnings: Self.warnings(of: section) + (hasLimit ? [] : [Self.noLimit(of: section)]))
  }

  /// Whether a section names a limit of bandwidth.
  static func hasThreshold(_ section: INISection) -> Bool { thresholds.contains { section.entry($0) != nil } }

  /// Whether a section has a limit of bandwidth, or wants one: it may have limits of probes alone.
  public static func hasLimit(_ section: INISection) -> Bool {
    ownKeys.contains { section.entry($0) != nil }
  }

  private static let ownKeys = thresholds + ["process_filter", "in_clear", "out_clear"]
  private static let thresholds = ["in_threshold", "out_threshold", "notification_threshold"]

  private static func level(
    of section: INISection, _ direction: String, default both: Double?
  ) throws(INIError) -> Level? {
    let threshold = try section.rate("\(direction)_threshold") ?? both ?? 0
    let clear = try section.rate("\(direction)_clear")
    guard let entry = section.entry("\(direction)_clear"), let clear else {
      // No limit, as the original has it.
      return threshold == 0
        ? nil
        : Level(threshold: .kibibytesPerSecond(threshold), clear: .kibibytesPerSecond(threshold))
    }
    guard threshold > 0 else {
      throw section.error(
        at: entry, "\(entry.key) needs a limit that it clears: set \(direction)_threshold, or remove it")
    }
    guard clear <= threshold else {
      throw section.error(
        at: entry, "\(entry.key) is above \(direction)_threshold, so the alert would never hold: lower it")
    }
    return Level(threshold: .kibibytesPerSecond(threshold), clear: .kibibytesPerSecond(clear))
  }

  private static func filter(of section: INISection) throws(INIError) -> Filter {
    guard let text = section.text("process_filter"), !text.isEmpty else { return .applications }
    if remainders.contains(text) { return .remainder(text) }
    return try Pattern("process_filter", of: section).map(Filter.matching) ?? .applications
  }

  /// The rows that a filter can only name, not match.
  static let remainders: [String] = {
    let owners = [Owner.forwarded, .kernel] + Owner.Reason.allCases.map(Owner.unattributed) + [.untracked]
    return owners.compactMap(\.remainderName) + [UsageRow.evictedName]
  }()

  private static func noLimit(of section: INISection) -> Warning {
    Warning(
      code: "no_limit",
      text: "\(section.file):\(section.line): [\(section.name)] has no limit, so it never says anything: set "
        + "in_threshold or out_threshold to more than 0, or remove the section.")
  }

  private static func warnings(of section: INISection) -> [Warning] {
    var warnings: [Warning] = []
    if let entry = section.entry("notification_threshold") {
      warnings.append(
        Warning(
          code: "notification_threshold",
          text: "\(section.file):\(entry.line): notification_threshold is taken for both directions: "
            + "write in_threshold and out_threshold instead."))
    }
    // `(kernal)` is a good expression, which finds nothing.
    if let entry = section.entry("process_filter"), entry.value.hasPrefix("("), entry.value.hasSuffix(")"),
      !remainders.contains(entry.value), let row = Spelling.nearest(to: entry.value, in: remainders)
    {
      warnings.append(
        Warning(
          code: "process_filter",
          text: "\(section.file):\(entry.line): process_filter=\(entry.value) is searched in the names of "
            + "applications: write \(row) if that row is meant."))
    }
    return warnings
  }
}
