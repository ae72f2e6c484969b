public import Model

extension Notification {
  /// Says `alert`, raised on `host`, as line and facts: those of an alert of bandwidth, with the same names.
  ///
  /// `BWMON_DIRECTION` is empty, `BWMON_MEASURE` is `loss` (%), `rtt` (ms) or `down`; `BWMON_TOP` names who moved most.
  public init(_ alert: ProbeAlert, host: String) {
    let episode = Episode(
      rule: alert.rule, subject: alert.target.name, aspect: alert.measure.rawValue, since: alert.since)
    let facts = [
      Fact("BWMON_RULE", alert.rule),
      Fact("BWMON_STATE", alert.state.word),
      Fact("BWMON_SUBJECT", alert.target.name),
      Fact("BWMON_ADDRESS", alert.target.addressText),
      Fact("BWMON_DIRECTION", ""),
      Fact("BWMON_MEASURE", alert.measure.rawValue),
      Fact("BWMON_VALUE", alert.value.fixed(2)),
      Fact("BWMON_THRESHOLD", alert.threshold.fixed(2)),
      Fact("BWMON_UNIT", alert.measure.unit),
      Fact("BWMON_INTERVAL", Self.seconds(alert.interval)),
      Fact("BWMON_SINCE", alert.since.rfc3339),
      Fact("BWMON_TIME", alert.time.rfc3339),
      Fact("BWMON_COUNT", alert.state.count),
      Fact("BWMON_REASON", alert.state.reason),
      Fact("BWMON_TOP", alert.top.map(\.sentence).joined(separator: "; ")),
      Fact("BWMON_ID", Self.identifier(of: episode)),
      Fact("BWMON_HOST", host),
    ]
    self.init(
      episode: episode, stage: alert.state.stage, facts: facts, line: ProbeAlertLine(alert).description)
  }
}

/// The line that says an alert of a probe to people.
///
/// `2026-11-29 12:00:00: gw exceeding 'loss' limit 10.00: 12.00 %; Backup 94 % of sent bytes`, and when it is over
/// `no longer exceeding`; for `down` the words are `is down` and `is up again`.
public struct ProbeAlertLine: Sendable, Hashable, CustomStringConvertible {
  /// The line, without a line feed; control characters of names are escaped.
  public let description: String

  /// Makes the line of an alert.
  public init(_ alert: ProbeAlert) {
    let name = alert.target.name.escapingControlCharacters.shortened(to: AlertLine.nameLimit)
    let level =
      "'\(alert.measure.rawValue)' limit \(alert.threshold.fixed(2)): \(alert.value.fixed(2)) \(alert.measure.unit)"
    let what =
      switch (alert.state, alert.measure) {
      case (.firing, .down), (.repeated, .down): "is down"
      case (.resolved(.below), .down): "is up again"
      case (.firing, _), (.repeated, _): "exceeding \(level)"
      case (.resolved(.below), _): "no longer exceeding \(level)"
      case (.resolved(.gone), _): "'\(alert.measure.rawValue)' limit: the target is not probed any more"
      case (.resolved(.removed), _): "'\(alert.measure.rawValue)' limit removed by a new configuration"
      }
    let top = alert.top.map { "; " + $0.sentence.escapingControlCharacters }.joined()
    description = "\(alert.time.local): \(name) \(what)\(top)"
  }
}

extension ProbeTarget {
  /// Empty for one without an address, as this host's network.
  fileprivate var addressText: String { address == .anyV4 ? "" : "\(address)" }
}

extension ProbeAlert.Share {
  /// `Backup 94 % of sent bytes`.
  var sentence: String { "\(name) \(percent.fixed(0)) % of \(direction.rawValue) bytes" }
}

extension ProbeState {
  /// `gw 0.0 % loss 0.41 ms`, `gw down`, or of a trace `gw 5 hops`.
  var sentence: String {
    let name = name.escapingControlCharacters
    if let hops { return isUp ? "\(name) \(hops) \("hop".counted(UInt64(hops)))" : "\(name) not reached" }
    guard isUp else { return "\(name) down" }
    let parts = [loss.map { "\($0.fixed(1)) % loss" }, roundTrip.map { "\($0.fixed(2)) ms" }].compactMap(
      \.self)
    return ([name] + (parts.isEmpty ? ["up"] : parts)).joined(separator: " ")
  }
}

extension ProbeAlert {
  /// The keys of an alert of bandwidth, with the measure in place of the direction.
  func write(to writer: inout JSONWriter) {
    writer.field("event", "alert")
    writer.field("time", time.rfc3339)
    state.write(to: &writer)
    writer.field("rule", rule)
    writer.field("subject", target.name)
    writer.field("address", target.addressText)
    writer.field("measure", measure.rawValue)
    writer.key("value")
    writer.number(value, decimals: 3)
    writer.key("threshold")
    writer.number(threshold, decimals: 3)
    writer.field("unit", measure.unit)
    writer.field("interval", interval)
    writer.field("since", since.rfc3339)
    state.writeDetail(to: &writer)
    writer.key("top")
    writer.array { writer in
      for share in top {
        writer.object { writer in
          writer.field("name", share.name)
          writer.field("direction", share.direction.rawValue)
          writer.key("percent")
          writer.number(share.percent, decimals: 1)
        }
      }
    }
  }
}

extension JSONWriter {
  /// How targets were: `[{"name":"gw","up":true,"loss":0.0,"rtt":0.410}]`, of a trace with
  /// `"up":null,"loss":null,"rtt":null,"reached":true,"hops":5`.
  mutating func field(_ key: String, _ states: [ProbeState]) {
    self.key(key)
    array { writer in
      for state in states {
        writer.object { writer in
          writer.field("name", state.name)
          if state.hops == nil {
            writer.field("up", state.isUp)
          } else {
            writer.key("up")
            writer.null()
          }
          writer.field("loss", state.loss, decimals: 1)
          writer.field("rtt", state.roundTrip, decimals: 3)
          if let hops = state.hops {
            writer.field("reached", state.isUp)
            writer.field("hops", hops)
          }
        }
      }
    }
  }

  fileprivate mutating func field(_ key: String, _ value: Double?, decimals: Int) {
    self.key(key)
    if let value { number(value, decimals: decimals) } else { null() }
  }
}
