import Model

/// A notification that waits for a web server: all that another start of the program needs to go on, but for the URL, which
/// may hold a secret and which the configuration has.
struct WaitingNotification: Sendable, Hashable {
  var notification: Notification
  /// How often it was tried.
  var attempts: Int
  /// When the file was written: at once, and after each attempt.
  var written: Timestamp
}

extension WaitingNotification: SpoolReport {
  static let words = SpoolWords.webhooks
  /// What waits, and what pauses: one of each section.
  static let mostEntries = 1024
  /// The most attempts that are counted: the pauses are the longest by then.
  private static let mostAttempts = 1000

  var file: [UInt8] {
    let episode = notification.episode
    let facts = notification.facts.map { (name: $0.name, value: JSONText.string($0.value)) }
    let members: [(name: String, value: String)] = [
      ("schema", "1"), ("rule", JSONText.string(episode.rule)), ("subject", JSONText.string(episode.subject)),
      ("aspect", JSONText.string(episode.aspect)), ("since", episode.since.json),
      ("stage", JSONText.string(notification.stage.word)),
      ("attempts", String(min(attempts, Self.mostAttempts))),
      ("written", written.json), ("facts", JSONText.object(facts)),
      ("line", JSONText.string(notification.line)),
    ]
    return Array((JSONText.object(members) + "\n").utf8)
  }

  init?(file: [UInt8]) {
    let text: JSONValue
    do throws(JSONError) { text = try JSONReader.value(file) } catch { return nil }
    guard text.member("schema")?.integer == 1, let rule = text.member("rule")?.string,
      let subject = text.member("subject")?.string, let aspect = text.member("aspect")?.string,
      let since = text.member("since").flatMap(Timestamp.init),
      let stage = text.member("stage")?.string.flatMap(Notification.Stage.init),
      let attempts = text.member("attempts")?.integer, (0...Self.mostAttempts).contains(attempts),
      let written = text.member("written").flatMap(Timestamp.init),
      case .object(let facts) = text.member("facts")?.content, let line = text.member("line")?.string
    else { return nil }
    notification = Notification(
      episode: Notification.Episode(rule: rule, subject: subject, aspect: aspect, since: since), stage: stage,
      facts: facts.compactMap { fact in fact.value.string.map { Notification.Fact(fact.name, $0) } },
      line: line)
    self.attempts = attempts
    self.written = written
  }
}

extension Notification.Stage {
  private static let all: [Self] = [.began, .goesOn, .ended(.over), .ended(.ruleRemoved), .single]

  /// The word for it in files.
  fileprivate var word: String {
    switch self {
    case .began: "began"
    case .goesOn: "goes_on"
    case .ended(.over): "over"
    case .ended(.ruleRemoved): "rule_removed"
    case .single: "single"
    }
  }

  fileprivate init?(_ word: String) {
    guard let stage = Self.all.first(where: { $0.word == word }) else { return nil }
    self = stage
  }
}
