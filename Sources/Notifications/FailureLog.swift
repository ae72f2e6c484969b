import Model

/// Says once that a rule's command fails, and again only after it succeeded.
struct FailureLog: Sendable {
  private var failing: Set<String> = []

  /// Takes how a command ended; returns the warning if it is the rule's first failure since its last success.
  mutating func record(_ outcome: CommandOutcome, of rule: CommandRule) -> Warning? {
    switch outcome {
    case .succeeded:
      failing.remove(rule.rule)
      return nil
    case .abandoned: return nil
    case .failed, .killed, .timedOut, .notFound, .notStarted:
      guard failing.insert(rule.rule).inserted else { return nil }
      return Warning(code: "notification_failed", text: Self.sentence(outcome, rule))
    }
  }

  private static func sentence(_ outcome: CommandOutcome, _ rule: CommandRule) -> String {
    let program = (rule.words.first ?? "").escapingControlCharacters.shortened(to: 200)
    let start = "[\(rule.rule.escapingControlCharacters)]: the command `\(program)`"
    let silence = "This is said once until it succeeds."
    return switch outcome {
    case .failed(let status):
      "\(start) ended with status \(status): run it by hand and mend what it says. \(silence)"
    case .killed(let signal):
      "\(start) was ended by signal \(signal): run it by hand and mend it. \(silence)"
    case .timedOut:
      "\(start) was killed with its children after \(rule.timeout.inSeconds.fixed(1)) s: mend it or raise command_timeout. \(silence)"
    case .notStarted(let why):
      "\(start) could not be started (\(why.escapingControlCharacters)): check notification_command and the system's limits. \(silence)"
    case .notFound, .succeeded, .abandoned:
      "\(start) was not found or may not be run: write its full path in notification_command and make it executable. \(silence)"
    }
  }
}
