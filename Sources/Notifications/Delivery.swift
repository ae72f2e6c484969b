public import Model

/// A way to deliver notifications to somebody; what they are about it does not know.
public protocol Delivery: Sendable {
  /// Which of the deliveries of a rule it is.
  var kind: DeliveryKind { get }

  /// True to deliver also the end of an episode.
  var deliversEnds: Bool { get }

  /// The longest that an attempt takes.
  var timeLimit: Duration { get }

  /// Delivers a notification, and returns how that went. When the task is cancelled, it ends early.
  func attempt(_ notification: Notification) async -> DeliveryOutcome
}

/// The ways to deliver; a rule has at most one of each.
public enum DeliveryKind: Sendable, Hashable, Comparable, CaseIterable {
  /// A line is written.
  case line
  /// A command is run.
  case command
  /// A mail is sent.
  case mail
  /// A web server is notified.
  case webhook
}

/// A rule and one of its deliveries, of which only one attempt is under way at a time.
struct DeliveryKey: Sendable, Hashable, Comparable {
  /// The section of the configuration.
  var rule: String
  /// Which of its deliveries.
  var kind: DeliveryKind

  init(_ rule: String, _ kind: DeliveryKind) {
    self.rule = rule
    self.kind = kind
  }

  static func < (left: Self, right: Self) -> Bool { (left.rule, left.kind) < (right.rule, right.kind) }
}

/// An episode as one delivery is notified of it.
struct DeliveredEpisode: Sendable, Hashable {
  var kind: DeliveryKind
  var episode: Notification.Episode
}

/// A delivery for the notifications of a rule.
public struct RuleDelivery: Sendable {
  /// The section of the configuration.
  public var rule: String
  /// What takes its notifications.
  public var delivery: any Delivery

  /// Makes it.
  public init(rule: String, delivery: any Delivery) {
    self.rule = rule
    self.delivery = delivery
  }

  var key: DeliveryKey { DeliveryKey(rule, delivery.kind) }
}

/// How an attempt to deliver ended. Why it failed is a sentence that ends with what to do.
public enum DeliveryOutcome: Sendable, Hashable {
  /// It was delivered.
  case succeeded
  /// It was not delivered, or only in part.
  case failed(String)
  /// Nothing was done, for a reason that passes: another attempt may succeed, and nobody gets it twice.
  case notBegun(String)
  /// Somebody else did not take it now, for a reason that may take long to pass: another attempt may succeed.
  case notTaken(String)
  /// The program does not want it any more.
  case abandoned
}

/// Writes the line of each notification, the end of an episode too.
///
/// That never waits, so it needs no place in a queue: lines keep their order among all else that is written, and
/// none is dropped.
public struct LineDelivery: Delivery {
  private let write: @Sendable (String) -> Void

  /// Makes a delivery that gives each line, without a line feed, to `write`.
  public init(_ write: @escaping @Sendable (String) -> Void) { self.write = write }

  /// A line.
  public var kind: DeliveryKind { .line }

  /// Always.
  public var deliversEnds: Bool { true }

  /// None: it is done at once.
  public var timeLimit: Duration { .zero }

  /// Writes the line.
  @discardableResult public func attempt(_ notification: Notification) -> DeliveryOutcome {
    write(notification.line)
    return .succeeded
  }
}
