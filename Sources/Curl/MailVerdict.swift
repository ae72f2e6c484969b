/// Decides what came of a mail, from libcurl's error and from what the server said.
enum MailVerdict {
  /// - Parameters:
  ///   - code: libcurl's error, 0 for none.
  ///   - reason: its words.
  static func outcome(
    code: CInt, reason: String, transcript: MailTranscript, recipients: [String]
  ) -> MailOutcome {
    let refused = transcript.refusals(of: recipients)
    if code == CurlCode.ok { return .sent(refused: refused) }
    // Nobody got it: one who may be accepted later is worth another attempt.
    if refused.count == recipients.count, let first = refused.first(where: \.mayBeTakenLater) ?? refused.first
    {
      let text = "the server refused all recipients, \(first.address): \(first.reply)"
      return .refused(
        text + (first.mayBeTakenLater ? "." : ": correct the addresses."),
        mayBeTakenLater: first.mayBeTakenLater)
    }
    switch code {
    case CurlCode.certificate:
      return .permanent(
        "\(reason): have the server use a valid certificate for its name, or set \"verify\": false.")
    case CurlCode.tls where transcript.lastReply == nil:
      return .transient(
        "\(reason): if the server's port begins without TLS, set \"tls\": false.", mayHaveArrived: false)
    case CurlCode.authorities, CurlCode.unusableURL, CurlCode.unsupported:
      return .denied("\(reason): correct the mail configuration.")
    default:
      return outcome(
        reason, transcript, isLogin: code == CurlCode.loginDenied, needsTLS: code == CurlCode.noTLS)
    }
  }

  private static func outcome(
    _ reason: String, _ transcript: MailTranscript, isLogin: Bool, needsTLS: Bool
  ) -> MailOutcome {
    let reply = transcript.lastReply
    if needsTLS {
      if reply?.isTransient == true { return .transient("\(reason).", mayHaveArrived: false) }
      return .permanent(
        "the server does not offer STARTTLS, so nothing was sent: use \"tls\": true and its port, "
          + "or set \"starttls\": false to send in the clear.")
    }
    if isLogin {
      // The server's words are not repeated: some repeat what they were given.
      let answer = reply.map { "code \($0.code)" } ?? "no answer"
      if let reply, reply.isTransient {
        return .transient(
          "the server cannot check the login now (code \(reply.code)).", mayHaveArrived: false)
      }
      return .denied("the server refused the login (\(answer)): correct user and password.")
    }
    if transcript.isAnswerToMailMissing {
      return .transient("\(reason), after the whole mail was sent.", mayHaveArrived: true)
    }
    if let reply, reply.isPermanent {
      let why = "the server refused the mail: \(reply.text): do what it says."
      return transcript.hasNamedMail ? .refused(why, mayBeTakenLater: false) : .denied(why)
    }
    if let reply, reply.isTransient {
      let why = "the server refused the mail for now: \(reply.text)."
      // 421: the server itself is about to end (RFC 5321, 3.8).
      return transcript.hasNamedMail && reply.code != 421
        ? .refused(why, mayBeTakenLater: true) : .transient(why, mayHaveArrived: false)
    }
    return .transient("\(reason).", mayHaveArrived: false)
  }
}

/// Errors of libcurl (libcurl-errors(3)) that mean something to us.
enum CurlCode {
  static let ok: CInt = 0
  static let unsupported: CInt = 1
  static let unusableURL: CInt = 3
  static let unresolvedProxy: CInt = 5
  static let unresolved: CInt = 6
  static let notConnected: CInt = 7
  static let malformed: CInt = 8
  static let notWritten: CInt = 23
  static let timedOut: CInt = 28
  static let tls: CInt = 35
  static let certificate: CInt = 60
  static let noTLS: CInt = 64
  static let loginDenied: CInt = 67
  static let authorities: CInt = 77
}
