public import Model

extension Notification {
  /// Says for the section `rule` that a route has changed, as seen from `host`: line and facts, with the names of an alert's.
  ///
  /// `BWMON_STATE` is `changed`, `BWMON_MEASURE` is `route`. `BWMON_ROUTE` and `BWMON_ROUTE_BEFORE` are the addresses of the
  /// hops, `*` for one that did not answer.
  public init(_ changed: ChangedRoute, rule: String, host: String) {
    let episode = Episode(rule: rule, subject: changed.target.name, aspect: "route", since: changed.time)
    let facts = [
      Fact("BWMON_RULE", rule),
      Fact("BWMON_STATE", "changed"),
      Fact("BWMON_SUBJECT", changed.target.name),
      Fact("BWMON_ADDRESS", "\(changed.target.address)"),
      Fact("BWMON_DIRECTION", ""),
      Fact("BWMON_MEASURE", "route"),
      Fact("BWMON_ROUTE", changed.to.path),
      Fact("BWMON_ROUTE_BEFORE", changed.from.path),
      Fact("BWMON_SINCE", changed.time.rfc3339),
      Fact("BWMON_TIME", changed.time.rfc3339),
      Fact("BWMON_COUNT", "1"),
      Fact("BWMON_REASON", ""),
      Fact("BWMON_ID", Self.identifier(of: episode)),
      Fact("BWMON_HOST", host),
    ]
    self.init(episode: episode, stage: .single, facts: facts, line: RouteLine(changed).description)
  }
}

/// The line that says the change of a route to people, in local time.
///
/// `2026-11-30 12:00:00: way out takes another route: 10.9.1.1 10.9.7.7 10.9.0.5; before: 10.9.1.1 * 10.9.0.5`
public struct RouteLine: Sendable, Hashable, CustomStringConvertible {
  /// The most that is shown of a route, in Unicode scalars.
  static let pathLimit = 1500

  /// The line, without a line feed; control characters of the name are escaped.
  public let description: String

  /// Makes the line of a change.
  public init(_ changed: ChangedRoute) {
    let name = changed.target.name.escapingControlCharacters.shortened(to: AlertLine.nameLimit)
    let (new, old) = (
      changed.to.path.shortened(to: Self.pathLimit), changed.from.path.shortened(to: Self.pathLimit)
    )
    description = "\(changed.time.local): \(name) takes another route: \(new); before: \(old)"
  }
}

extension RouteTrace {
  /// The addresses of the hops, `*` for one that did not answer.
  var path: String { hops.map { $0.address?.description ?? "*" }.joined(separator: " ") }
}

extension ChangedRoute {
  /// `from` and `to` are the addresses of the hops, the nearest first; null stands for one that did not answer.
  func write(to writer: inout JSONWriter) {
    writer.field("event", "route")
    writer.field("time", time.rfc3339)
    writer.field("target", target.name)
    writer.field("address", target.address.description)
    for (key, trace) in [("from", from), ("to", to)] {
      writer.key(key)
      writer.array { writer in
        for hop in trace.hops {
          if let address = hop.address { writer.string(address.description) } else { writer.null() }
        }
      }
    }
    writer.key("rules")
    writer.array { writer in
      for rule in rules { writer.string(rule) }
    }
  }
}
