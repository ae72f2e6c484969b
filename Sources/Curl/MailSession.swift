/// A mail and the server that it is given to (RFC 5321).
public struct MailSession: Sendable, Hashable {
  /// How the connection is protected.
  public enum Security: Sendable, Hashable {
    /// TLS from the first byte (smtps).
    case implicit
    /// The server is asked for TLS, and nothing is sent without.
    case startTLS
    /// None: the mail, and a password, can be read on the way.
    case none
  }

  /// Who sends, where the server wants to know it.
  public struct Login: Sendable, Hashable {
    /// The name.
    public var user: String
    /// The password.
    public var password: String

    /// Makes a login.
    public init(user: String, password: String) {
      self.user = user
      self.password = password
    }
  }

  /// The server's name or address; an IPv6 address without brackets.
  public var host: String
  /// Its port.
  public var port: UInt16
  /// How the connection is protected.
  public var security = Security.startTLS
  /// False to take any certificate.
  public var verifies = true
  /// A file of the certificates to trust, in place of the system's.
  public var authorities: String?
  /// Who sends; nil to say nothing of it.
  public var login: Login?
  /// The address that errors of delivery go to.
  public var from: String
  /// The addresses that it is for; at most `mostRecipients`.
  public var recipients: [String]
  /// The mail as it goes over the wire, with CRLF; dots are doubled by libcurl.
  public var message: [UInt8]
  /// How long it may take.
  public var limits: TransferLimits
  /// The longest silence of the server where it should answer.
  public var answer = Duration.seconds(60)

  /// The most recipients of a mail.
  public static let mostRecipients = 100
  /// The longest mail.
  public static let mostSent = 4 << 20

  /// Makes a session.
  public init(
    host: String, port: UInt16, from: String, recipients: [String], message: [UInt8], limits: TransferLimits
  ) {
    self.host = host
    self.port = port
    self.from = from
    self.recipients = recipients
    self.message = message
    self.limits = limits
  }

  /// The URL that libcurl connects to.
  var url: String {
    let name = host.contains(":") ? "[\(host)]" : host
    return "\(security == .implicit ? "smtps" : "smtp")://\(name):\(port)"
  }

  /// Throws for what must not be sent.
  func check() throws(CurlError) {
    let isName =
      !host.isEmpty && host.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f && !"/@?#[]\\%".utf8.contains($0) }
    guard isName, port != 0 else {
      throw .unusable("the mail server is not a name or address with a port: correct it.")
    }
    guard (1...Self.mostRecipients).contains(recipients.count) else {
      throw .unusable("a mail has from 1 to \(Self.mostRecipients) recipients: correct the list.")
    }
    for address in recipients + [from] where !address.isMailAddress {
      throw .unusable("a mail address has a character that is not allowed: write NAME@HOST in ASCII.")
    }
    for text in [login?.user ?? "", login?.password ?? "", authorities ?? ""] where !text.isPlainLine {
      throw .unusable("the user, the password or a path has a control character: take it out.")
    }
    guard message.count <= Self.mostSent else {
      throw .unusable("the mail has more than \(Self.mostSent) bytes: send less.")
    }
  }
}

/// What came of a mail.
public enum MailOutcome: Sendable, Hashable {
  /// The server has taken it for all recipients but these.
  case sent(refused: [RefusedRecipient])
  /// It was not taken, for a reason that may pass and that others have as well. With `mayHaveArrived` the whole mail was sent and the answer is missing:
  /// nobody knows.
  case transient(String, mayHaveArrived: Bool)
  /// The server will not take this mail, or not now; others it may take.
  case refused(String, mayBeTakenLater: Bool)
  /// It was not taken, whatever the mail, for a reason that may pass with what the server offers, but not soon.
  case permanent(String)
  /// It was not taken, and another attempt would end alike until something is done here: the server refuses this login, or
  /// this client, or the configuration is wrong.
  case denied(String)
}

/// A recipient that the server does not take a mail for.
public struct RefusedRecipient: Sendable, Hashable {
  /// The address.
  public var address: String
  /// The server's answer: its code and its words, escaped.
  public var reply: String
  /// True for a code of 4xx: it may be taken later.
  public var mayBeTakenLater: Bool

  /// Makes a refusal.
  public init(address: String, reply: String, mayBeTakenLater: Bool) {
    self.address = address
    self.reply = reply
    self.mayBeTakenLater = mayBeTakenLater
  }
}

extension String {
  /// True for what may stand between `<` and `>` of an SMTP command.
  var isMailAddress: Bool {
    !isEmpty && utf8.count <= 320
      && utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f && !"<>,;\"\\".utf8.contains($0) }
  }
}
