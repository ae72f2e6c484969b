/// A sentence for the administrator that ends with what to do.
public struct Warning: Sendable, Hashable {
  /// What it is about, in one stable word (`accounting_off`), for programs that read it and to say it once.
  public var code: String
  /// The sentence.
  public var text: String
  /// True for what is to be known although nothing is to be done.
  public var isNote: Bool
  /// True when what was said earlier under this code is no longer so.
  public var isResolved: Bool

  /// Makes a warning, or with `isResolved` takes one back.
  public init(code: String, text: String, isNote: Bool = false, isResolved: Bool = false) {
    self.code = code
    self.text = text
    self.isNote = isNote
    self.isResolved = isResolved
  }
}

/// All that leaves a program.
public enum Event: Sendable, Hashable {
  /// What was moved.
  case usage(UsageReport)
  /// A rule was crossed.
  case alert(Alert)
  /// A limit of a probe was crossed.
  case probeAlert(ProbeAlert)
  /// Something that makes the numbers less than they could be.
  case warning(Warning, at: Timestamp)
  /// What a round of a probe found.
  case probe(ProbeResult)
  /// A host or the network is not reachable, or is again.
  case outage(Outage)
  /// The route to a target is another.
  case route(ChangedRoute)
}
