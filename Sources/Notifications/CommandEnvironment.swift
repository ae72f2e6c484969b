public import Model

/// The facts of an alert as environment variables: a command gets them verbatim, never as a part of its text.
///
/// All variables are always set; what does not apply is empty. Rates are in kB/s (1024 bytes) with two decimals,
/// times are RFC 3339 in UTC, the interval is in seconds. A NUL character, which no variable can hold, becomes U+FFFD.
public struct CommandEnvironment: Sendable, Hashable {
  /// The variables to add to the program's own.
  public let variables: [String: String]

  /// The most bytes of a text: the kernel takes 128 KiB a variable (execve(2), MAX_ARG_STRLEN).
  static let textLimit = 32_768
  /// The most pids that are listed; BWMON_PIDS_OMITTED counts the others.
  static let pidLimit = 4096

  /// Collects the facts of `alert`, raised on `host`.
  public init(_ alert: Alert, host: String) {
    variables = [
      "BWMON_RULE": Self.text(alert.rule),
      "BWMON_STATE": alert.state.word,
      "BWMON_SUBJECT": Self.text(alert.subject),
      "BWMON_DIRECTION": alert.direction.oldName,
      "BWMON_VALUE": alert.value.kibibytesPerSecond.fixed(2),
      "BWMON_THRESHOLD": alert.threshold.kibibytesPerSecond.fixed(2),
      "BWMON_UNIT": "kB/s",
      "BWMON_INTERVAL": Self.seconds(alert.interval),
      "BWMON_SINCE": alert.since.rfc3339,
      "BWMON_TIME": alert.time.rfc3339,
      "BWMON_COUNT": alert.state.count,
      "BWMON_REASON": alert.state.reason,
      "BWMON_PIDS": alert.pids.prefix(Self.pidLimit).map { String($0) }.joined(separator: " "),
      "BWMON_PIDS_OMITTED": String(max(0, alert.pids.count - Self.pidLimit)),
      "BWMON_ID": Self.identifier(of: alert),
      "BWMON_HOST": Self.text(host),
    ]
  }

  /// Whole seconds without decimals, so that a shell can compare them.
  private static func seconds(_ duration: Duration) -> String {
    let isWhole = duration.components.attoseconds == 0
    return isWhole ? String(duration.components.seconds) : duration.inSeconds.fixed(3)
  }

  private static func text(_ value: String) -> String {
    let fits = value.utf8.count <= textLimit
    if fits, !value.utf8.contains(0) { return value }
    var text = String.UnicodeScalarView()
    var size = 0
    for scalar in value.unicodeScalars {
      let shown = scalar == "\0" ? "\u{fffd}" : scalar
      size += UTF8.width(shown)
      if size > textLimit { break }
      text.append(shown)
    }
    return String(text)
  }

  /// The same for all that is said of one raising: FNV-1a (64 bits) of rule, subject, direction and first time.
  private static func identifier(of alert: Alert) -> String {
    let parts = [
      alert.rule, alert.subject, alert.direction.rawValue, String(alert.since.seconds),
      String(alert.since.nanoseconds),
    ]
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for part in parts {
      for byte in Array(part.utf8) + [0xff] {
        hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3
      }
    }
    let digits = String(hash, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}

extension Alert.State {
  fileprivate var word: String {
    switch self {
    case .firing: "firing"
    case .repeated: "repeat"
    case .resolved: "resolved"
    }
  }

  fileprivate var count: String {
    switch self {
    case .firing: "1"
    case .repeated(let count): String(count)
    case .resolved: ""
    }
  }

  fileprivate var reason: String {
    if case .resolved(let reason) = self { reason.rawValue } else { "" }
  }
}
