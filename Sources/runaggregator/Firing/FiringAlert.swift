import Model
import Notifications

/// An alert that fires, by what was last reported of it, and the deliveries that were notified of it.
struct FiringAlert: Sendable, Hashable {
  /// What was reported.
  enum Report: Sendable, Hashable {
    /// Of the bandwidth of an application.
    case usage(Alert)
    /// Of what probes find.
    case probe(ProbeAlert)

    /// The alert, if it is one of bandwidth.
    var ofUsage: Alert? { if case .usage(let alert) = self { alert } else { nil } }

    /// The alert, if it is one of a probe.
    var ofProbe: ProbeAlert? { if case .probe(let alert) = self { alert } else { nil } }
  }

  /// What it has from its beginning to its end, and no other alert that fires at the same time.
  struct Key: Sendable, Hashable, Comparable {
    var rule: String
    var subject: String
    var aspect: String

    static func < (left: Self, right: Self) -> Bool {
      (left.rule, left.subject, left.aspect) < (right.rule, right.subject, right.aspect)
    }
  }

  /// The last that was reported.
  var report: Report
  /// The deliveries that were notified that it began.
  var notified: [DeliveryKind]

  /// Makes it.
  init(_ report: Report, notified: [DeliveryKind]) {
    self.report = report
    self.notified = notified
  }
}

extension FiringAlert.Report {
  var key: FiringAlert.Key {
    switch self {
    case .usage(let alert):
      FiringAlert.Key(rule: alert.rule, subject: alert.subject, aspect: alert.direction.rawValue)
    case .probe(let alert):
      FiringAlert.Key(rule: alert.rule, subject: alert.target.name, aspect: alert.measure.rawValue)
    }
  }

  var state: Alert.State {
    switch self {
    case .usage(let alert): alert.state
    case .probe(let alert): alert.state
    }
  }
}

/// The alerts that fire, as the file has them: at most so many, with so many bytes, as can be read again. Does no I/O.
struct FiringAlerts: Sendable, Hashable {
  /// The most alerts.
  static let most = 1024
  /// The most bytes of their texts.
  static let mostBytes = JSONReader.mostBytes - 1024

  /// The text of each.
  private var texts: [FiringAlert.Key: String] = [:]
  private var bytes = 0
  /// Whether one had no room, since start: it fires again after a restart.
  private(set) var isIncomplete = false

  /// Takes what was reported, and who was notified of it; returns whether the file changes with it.
  mutating func take(_ report: FiringAlert.Report, notified: [DeliveryKind]) -> Bool {
    let before = texts.removeValue(forKey: report.key)
    bytes -= before.map { $0.utf8.count + 1 } ?? 0
    if case .resolved = report.state { return before != nil }
    let text = FiringAlert(report, notified: notified).json
    guard texts.count < Self.most, bytes + text.utf8.count < Self.mostBytes else {
      isIncomplete = true
      return before != nil
    }
    texts[report.key] = text
    bytes += text.utf8.count + 1
    return true
  }
}

extension FiringAlerts {
  /// What the file is to be.
  var content: FiringFile<FiringAlert>.Content {
    FiringFile.Content(
      bytes: file,
      omission: isIncomplete
        ? Warning(
          code: "alerts_omitted",
          text:
            "more than \(Self.most) alerts fire, or their names are long: those beyond fire again after a restart. "
            + "Make the rules match fewer applications.") : nil)
  }

  /// The text of the file; nil where nothing fires, and there is to be none.
  var file: [UInt8]? {
    if texts.isEmpty { return nil }
    let alerts = texts.sorted { $0.key < $1.key }.map(\.value).joined(separator: ",")
    return Array((JSONText.object([("schema", "1"), ("alerts", "[\(alerts)]")]) + "\n").utf8)
  }

  /// Reads such a file; nil for one that is not, or is of another version.
  static func alerts(in file: [UInt8]) -> [FiringAlert]? {
    let text: JSONValue
    do throws(JSONError) { text = try JSONReader.value(file) } catch { return nil }
    guard text.member("schema")?.integer == 1, case .array(let values) = text.member("alerts")?.content,
      values.count <= most
    else { return nil }
    let alerts = values.compactMap(FiringAlert.init)
    return alerts.count == values.count ? alerts : nil
  }
}
