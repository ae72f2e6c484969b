import Model

/// Delivers notifications by mail: hands them to what keeps and sends mails.
///
/// Once that has one, it is mailed over failures of the server and of this program, so it is delivered here. The end of an
/// episode goes the same way, whatever became of its beginning: where both wait, they are one mail.
public struct MailDelivery: Delivery {
  private let rule: MailRule
  private let service: MailService

  /// Makes a delivery for the notifications of `rule`.
  public init(_ rule: MailRule, service: MailService) {
    self.rule = rule
    self.service = service
  }

  /// A mail.
  public var kind: DeliveryKind { .mail }

  /// As the rule says.
  public var deliversEnds: Bool { rule.runsOnResolve }

  /// None: it is done at once.
  public var timeLimit: Duration { .zero }

  /// Hands it over.
  public func attempt(_ notification: Notification) async -> DeliveryOutcome {
    let isTaken = service.submit(
      subject: "bwmon: \(notification.line.shortened(to: 200))", body: Self.body(notification),
      stream: rule.rule, configuration: rule.path, isRepetition: notification.stage == .goesOn)
    return isTaken ? .succeeded : .notBegun("too many mails wait: see why the disk of --spool is slow.")
  }

  /// The line, and the facts.
  static func body(_ notification: Notification) -> String {
    let facts = notification.facts.map {
      "\($0.name): \($0.value.escapingControlCharacters.shortened(to: 4000))"
    }
    return ([notification.line, ""] + facts).joined(separator: "\n")
  }
}
