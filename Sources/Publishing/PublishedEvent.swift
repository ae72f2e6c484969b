public import Model

/// A kind of event that is published, by its name in JSON.
public enum PublishedEvent: String, Sendable, Hashable, CaseIterable {
  /// What applications moved.
  case usage
  /// A limit was crossed: of an application or of a probe.
  case alert
  /// A round of a probe.
  case probe
  /// A host is gone, or is back.
  case outage
  /// The route to a target is another.
  case route
  /// What makes the numbers less than they could be.
  case warning

  /// The kind of `event`.
  public init(_ event: Event) {
    self =
      switch event {
      case .usage: .usage
      case .alert, .probeAlert: .alert
      case .probe: .probe
      case .outage: .outage
      case .route: .route
      case .warning: .warning
      }
  }

  /// The routing key of what `host` publishes: `bwmon.HOST.EVENT`.
  ///
  /// A dot ends a word of a routing key, and `*` and `#` stand for words: in the host they are written `_`, as is what does not
  /// belong into a name.
  public func routingKey(host: String) -> String {
    let word = host.unicodeScalars.map { scalar in
      scalar.isASCII && scalar.value > 0x20 && scalar.value != 0x7f && !".*#".unicodeScalars.contains(scalar)
        ? Character(scalar) : "_"
    }
    return "bwmon.\(word.isEmpty ? "unknown" : String(word.prefix(200))).\(rawValue)"
  }
}
