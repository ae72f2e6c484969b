public import Model

extension Notification {
  /// The most pids that are listed; BWMON_PIDS_OMITTED counts the others.
  static let pidLimit = 4096

  /// Says `alert`, raised on `host`, as line and facts.
  ///
  /// All facts are always there; what does not apply is empty. Rates are in kB/s (1024 bytes) with two decimals,
  /// times are RFC 3339 in UTC, the interval is in seconds. Names of strangers stand verbatim.
  public init(_ alert: Alert, host: String) {
    let facts = [
      Fact("BWMON_RULE", alert.rule),
      Fact("BWMON_STATE", alert.state.word),
      Fact("BWMON_SUBJECT", alert.subject),
      Fact("BWMON_DIRECTION", alert.direction.oldName),
      Fact("BWMON_VALUE", alert.value.kibibytesPerSecond.fixed(2)),
      Fact("BWMON_THRESHOLD", alert.threshold.kibibytesPerSecond.fixed(2)),
      Fact("BWMON_UNIT", "kB/s"),
      Fact("BWMON_INTERVAL", Self.seconds(alert.interval)),
      Fact("BWMON_SINCE", alert.since.rfc3339),
      Fact("BWMON_TIME", alert.time.rfc3339),
      Fact("BWMON_COUNT", alert.state.count),
      Fact("BWMON_REASON", alert.state.reason),
      Fact("BWMON_PIDS", alert.pids.prefix(Self.pidLimit).map { String($0) }.joined(separator: " ")),
      Fact("BWMON_PIDS_OMITTED", String(max(0, alert.pids.count - Self.pidLimit))),
      Fact("BWMON_ID", Self.identifier(of: Episode(alert))),
      Fact("BWMON_HOST", host),
      Fact("BWMON_PROBES", alert.probes.map(\.sentence).joined(separator: "; ")),
    ]
    self.init(
      episode: Episode(alert), stage: alert.state.stage, facts: facts, line: AlertLine(alert).description)
  }

  /// Whole seconds without decimals, so that a shell can compare them.
  static func seconds(_ duration: Duration) -> String {
    let isWhole = duration.components.attoseconds == 0
    return isWhole ? String(duration.components.seconds) : duration.inSeconds.fixed(3)
  }

  /// The same for all that is said of one raising: FNV-1a (64 bits) of rule, subject, direction and first time.
  static func identifier(of episode: Episode) -> String {
    let parts = [
      episode.rule, episode.subject, episode.aspect, String(episode.since.seconds),
      String(episode.since.nanoseconds),
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

extension Notification.Episode {
  /// What an alert has from its first raising until it is over.
  fileprivate init(_ alert: Alert) {
    self.init(
      rule: alert.rule, subject: alert.subject, aspect: alert.direction.rawValue, since: alert.since)
  }
}

extension Alert.State {
  var stage: Notification.Stage {
    switch self {
    case .firing: .began
    case .repeated: .goesOn
    case .resolved(.below), .resolved(.gone): .ended(.over)
    case .resolved(.removed): .ended(.ruleRemoved)
    }
  }

  var word: String {
    switch self {
    case .firing: "firing"
    case .repeated: "repeat"
    case .resolved: "resolved"
    }
  }

  var count: String {
    switch self {
    case .firing: "1"
    case .repeated(let count): String(count)
    case .resolved: ""
    }
  }

  var reason: String {
    if case .resolved(let reason) = self { reason.rawValue } else { "" }
  }
}
