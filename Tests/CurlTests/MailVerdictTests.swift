import Testing

@testable import Curl

@Suite struct MailVerdictTests {
  private func transcript(_ lines: String...) -> MailTranscript {
    MailTranscript(Array(lines.joined(separator: "\n").utf8))
  }

  @Test func `commands and answers are told apart`() {
    let transcript = transcript(
      "< 220-a", "< 220 b", "> EHLO", "< 250-x", "< 250 y", "> RCPT", "< 550 no\u{1b}", "> *", "< 25",
      "< abc", "")
    #expect(transcript.steps.map(\.verb) == ["", "EHLO", "RCPT", "*"])
    #expect(transcript.steps.map { $0.replies.map(\.code) } == [[220], [250], [550], []])
    #expect(transcript.lastReply?.text == "550 no\\e")
    #expect(MailTranscript([]).steps.count == 1 && MailTranscript([]).lastReply == nil)
  }

  @Test(arguments: [
    (CInt(28), ["< 220 a"], true, false), (7, [], true, false), (6, [], true, false), (35, [], true, false),
    (56, ["> DATA", "< 354 go"], true, true), (52, ["> DATA", "< 354 go"], true, true),
    (56, ["> DATA", "< 354 go", "< 451 x"], true, false),
    (55, ["> DATA", "< 354 go", "< 554 x"], false, false),
    (60, ["< 220 a"], false, false), (77, [], false, false), (3, [], false, false),
    (64, ["> EHLO", "< 250 a"], false, false), (64, ["> STARTTLS", "< 454 a"], true, false),
    (67, ["> AUTH", "< 535 a"], false, false), (67, ["> AUTH", "< 454 a"], true, false),
    (67, ["> EHLO", "< 250 a"], false, false), (8, ["< 554 a"], false, false), (8, ["< 421 a"], true, false),
    (55, ["> RCPT", "< 550 a", "> RCPT", "< 451 a"], true, false),
    (55, ["> RCPT", "< 550 a", "> RCPT", "< 550 a"], false, false),
    (55, ["> RCPT", "< 550 a", "> RCPT", "< 250 a"], true, false),
  ])
  func `what passes and what does not`(code: CInt, lines: [String], passes: Bool, mayHaveArrived: Bool) {
    let outcome = MailVerdict.outcome(
      code: code, reason: "why", transcript: MailTranscript(Array(lines.joined(separator: "\n").utf8)),
      recipients: ["a@h", "b@h"])
    switch outcome {
    case .sent: Issue.record("sent")
    case .transient(_, let mayHave): #expect(passes && mayHave == mayHaveArrived, "\(outcome)")
    case .permanent, .denied: #expect(!passes, "\(outcome)")
    case .refused(_, let later): #expect(later == passes && !mayHaveArrived, "\(outcome)")
    }
  }

  @Test(
    arguments: [
      (CInt(55), ["> MAIL", "< 550 a"], false), (55, ["> MAIL", "< 250 a", "> RCPT", "< 552 a"], false),
      (55, ["> DATA", "< 354 go", "< 554 x"], false), (56, ["> DATA", "< 354 go", "< 451 x"], true),
      (55, ["> RCPT", "< 450 a", "> RCPT", "< 450 a"], true), (8, ["< 554 a"], nil), (8, ["< 421 a"], nil),
      (55, ["> EHLO", "< 550 a"], nil), (55, ["> MAIL", "< 421 a"], nil), (67, ["> AUTH", "< 535 a"], nil),
      (56, ["> DATA", "< 354 go"], nil),
      (8, ["> DATA", "< 354 go", "< 554 x", "> QUIT", "< 221 bye"], false),
      (8, ["> DATA", "< 354 go", "< 451 x", "> QUIT", "< 221 bye"], true),
    ] as [(CInt, [String], Bool?)])
  func `a refusal of one mail is not one of all`(code: CInt, lines: [String], mayBeTakenLater: Bool?) {
    let outcome = MailVerdict.outcome(
      code: code, reason: "why", transcript: MailTranscript(Array(lines.joined(separator: "\n").utf8)),
      recipients: ["a@h", "b@h"])
    if case .refused(_, let later) = outcome {
      #expect(later == mayBeTakenLater, "\(outcome)")
    } else {
      #expect(mayBeTakenLater == nil, "\(outcome)")
    }
  }

  /// What an administrator of the server mends is tried again, what one of this host mends is not.
  @Test(
    arguments: [
      (CInt(67), ["> AUTH", "< 535 a"], true), (67, ["> EHLO", "< 250 a"], true), (8, ["< 554 a"], true),
      (55, ["> EHLO", "< 550 a"], true), (77, [], true), (3, [], true), (1, [], true),
      (60, ["< 220 a"], false), (64, ["> EHLO", "< 250 a"], false),
    ] as [(CInt, [String], Bool)])
  func `who has to do something`(code: CInt, lines: [String], isDenied: Bool) {
    let outcome = MailVerdict.outcome(
      code: code, reason: "why", transcript: MailTranscript(Array(lines.joined(separator: "\n").utf8)),
      recipients: ["a@h"])
    switch outcome {
    case .denied: #expect(isDenied, "\(outcome)")
    case .permanent: #expect(!isDenied, "\(outcome)")
    default: Issue.record("\(outcome)")
    }
  }

  @Test func `a port that begins without TLS is one of the reasons why TLS fails`() {
    let hint = "why: if the server's port begins without TLS, set \"tls\": false."
    for (lines, text) in [([], hint), (["< 220 a", "> STARTTLS", "< 220 b"], "why.")] {
      let outcome = MailVerdict.outcome(
        code: 35, reason: "why", transcript: MailTranscript(Array(lines.joined(separator: "\n").utf8)),
        recipients: ["a@h"])
      #expect(outcome == .transient(text, mayHaveArrived: false))
    }
  }

  @Test func `a mail that was taken names who is refused`() {
    let outcome = MailVerdict.outcome(
      code: 0, reason: "",
      transcript: transcript("> RCPT", "< 250 a", "> RCPT", "< 452 b", "> DATA", "< 354 c"),
      recipients: ["a@h", "b@h"])
    #expect(
      outcome == .sent(refused: [RefusedRecipient(address: "b@h", reply: "452 b", mayBeTakenLater: true)]))
  }
}
