import Model

/// What was said between a mail server and libcurl: commands without their words, and answers.
struct MailTranscript: Sendable, Hashable {
  /// An answer of the server.
  struct Reply: Sendable, Hashable {
    /// The three digits.
    var code: Int
    /// The last line, with its code.
    var text: String

    var isTransient: Bool { code / 100 == 4 }
    var isPermanent: Bool { code / 100 == 5 }
  }

  /// A command and the answers that came before the next.
  struct Step: Sendable, Hashable {
    /// The command; empty for the greeting.
    var verb: String
    /// All answers: two for DATA.
    var replies: [Reply] = []
  }

  /// In the order that they happened.
  let steps: [Step]

  /// Reads lines `> VERB` and `< TEXT`.
  init(_ bytes: [UInt8]) {
    var steps = [Step(verb: "")]
    for line in bytes.split(separator: UInt8(ascii: "\n")) {
      let text = String(decoding: line.dropFirst(2), as: UTF8.self)
      if line.first == UInt8(ascii: ">") {
        steps.append(Step(verb: text))
      } else if let reply = Self.reply(text) {
        steps[steps.count - 1].replies.append(reply)
      }
    }
    self.steps = steps
  }

  /// The last answer of all but that to the farewell, which says nothing of the mail.
  var lastReply: Reply? { steps.last { !$0.replies.isEmpty && $0.verb != "QUIT" }?.replies.last }

  /// What the server said of each recipient, in their order; a command is repeated for each.
  func refusals(of recipients: [String]) -> [RefusedRecipient] {
    let replies = steps.filter { $0.verb == "RCPT" }.map { $0.replies.last }
    return zip(recipients, replies).compactMap { address, reply in
      guard let reply, reply.code / 100 != 2 else { return nil }
      return RefusedRecipient(address: address, reply: reply.text, mayBeTakenLater: reply.isTransient)
    }
  }

  /// True when the server has got the first commands of the mail: what it refuses after that it may take of others.
  var hasNamedMail: Bool { steps.contains { ["MAIL", "RCPT", "DATA"].contains($0.verb) } }

  /// True when the server was ready for the mail and has not said what became of it.
  var isAnswerToMailMissing: Bool {
    steps.contains { $0.verb == "DATA" && $0.replies.map(\.code) == [354] }
  }

  /// A line that ends an answer: three digits, then no hyphen (RFC 5321, 4.2).
  private static func reply(_ text: String) -> Reply? {
    let digits = text.utf8.prefix(3)
    guard digits.count == 3, digits.allSatisfy({ (0x30...0x39).contains($0) }),
      let code = Int(text.prefix(3)),
      text.utf8.dropFirst(3).first.map({ $0 == UInt8(ascii: " ") }) ?? true
    else { return nil }
    return Reply(code: code, text: text.escapingControlCharacters.shortened(to: 300))
  }
}
