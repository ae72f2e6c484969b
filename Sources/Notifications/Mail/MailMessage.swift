public import Model

/// A mail as it goes over the wire (RFC 5322): header fields and a text, all of it from values that are passed in.
///
/// No text that is passed in can add a header field: control characters, line feeds first, do not get into the head.
public struct MailMessage: Sendable, Hashable {
  /// Who it is from, an address.
  public var from: String
  /// Who it is for, addresses.
  public var to: [String]
  /// What it is about, any text.
  public var subject: String
  /// When it is sent.
  public var date: Timestamp
  /// What it is known by, without `<` and `>`: `1764430000.9f2c@host`. The same for all attempts to send it.
  public var messageID: String
  /// The text; its lines end with a line feed.
  public var body: String

  /// Makes a mail.
  public init(
    from: String, to: [String], subject: String, date: Timestamp, messageID: String, body: String
  ) {
    self.from = from
    self.to = to
    self.subject = subject
    self.date = date
    self.messageID = messageID
    self.body = body
  }

  /// The bytes to send, with CRLF line ends; dots at the beginning of lines are as in the text.
  public var bytes: [UInt8] {
    let text = MailBody(body)
    let head = [
      "From: \(MailHeader.plain(from))",
      "To: \(MailHeader.list(to.map(MailHeader.plain)))",
      MailHeader.text("Subject", subject),
      "Date: \(date.rfc5322)",
      "Message-ID: <\(MailHeader.plain(messageID))>",
      "MIME-Version: 1.0",
      "Content-Type: text/plain; charset=utf-8",
      "Content-Transfer-Encoding: \(text.encoding.rawValue)",
      // So that an answering machine does not answer (RFC 3834).
      "Auto-Submitted: auto-generated",
    ]
    return Array(head.joined(separator: "\r\n").utf8) + Array("\r\n\r\n".utf8) + text.bytes
  }
}
