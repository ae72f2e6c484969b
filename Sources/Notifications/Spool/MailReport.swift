public import Model

/// Something that is to be reported by mail, whatever its mail configuration says when it is sent.
public struct MailReport: Sendable, Hashable {
  /// Who reports: a section, or the program. Reports of one stream may be sent in one mail.
  public var stream: String
  /// The file of the configuration that it was reported for; nil in files of before there were several.
  public var configuration: String?
  /// What the mail is about.
  public var subject: String
  /// Its text, without a line feed at the end.
  public var body: String
  /// What the mail is known by; the same for all attempts, also after a restart.
  public var messageID: String
  /// When it was reported.
  public var created: Timestamp
  /// How many more are in it whose mail would have been about something else.
  public var others: Int
  /// Who is still to get it; nil for all that the configuration names.
  public var recipients: [String]?

  /// The longest text.
  static let mostBody = 64 << 10

  init(
    stream: String, configuration: String? = nil, subject: String, body: String, messageID: String,
    created: Timestamp, others: Int = 0, recipients: [String]? = nil
  ) {
    self.stream = stream
    self.configuration = configuration
    self.others = others
    self.subject = subject
    self.body = Self.bounded(body)
    self.messageID = messageID
    self.created = created
    self.recipients = recipients
  }

  private static let mostOthers = 1_000_000

  /// Whether both may be sent in one mail.
  func isOfStream(of other: Self) -> Bool { stream == other.stream && configuration == other.configuration }

  /// This report and a later one of the same stream as one, with an empty line between where they have such themselves; nil
  /// when they are too long together.
  func merged(with later: Self) -> Self? {
    let separator = body.contains("\n\n") || later.body.contains("\n\n") ? "\n\n" : "\n"
    let length = body.utf8.count + separator.utf8.count + later.body.utf8.count
    guard isOfStream(of: later), length <= Self.mostBody else { return nil }
    var merged = self
    merged.body += separator + later.body
    // What is damaged on the disk must not end the program.
    merged.others =
      min(others, Self.mostOthers) + min(later.others, Self.mostOthers)
      + (later.subject == subject ? 0 : 1)
    return merged
  }

  private static func bounded(_ body: String) -> String {
    var text = body
    while text.last?.isNewline == true { text.removeLast() }
    guard text.utf8.count > mostBody else { return text }
    let note = "\n(the text was longer)"
    var bytes = Array(text.utf8.prefix(mostBody - note.utf8.count))
    // A character is kept whole or not at all.
    while let last = bytes.last, last & 0xc0 == 0x80 { bytes.removeLast() }
    if let last = bytes.last, last >= 0xc0 { bytes.removeLast() }
    return String(decoding: bytes, as: UTF8.self) + note
  }
}

extension MailReport: SpoolReport {
  static let words = SpoolWords.mails
  static let mostEntries = SpoolSchedule.mostEntries

  /// The text of a file of the spool.
  var file: [UInt8] {
    var members: [(name: String, value: String)] = [
      ("schema", "1"), ("stream", JSONText.string(stream)), ("subject", JSONText.string(subject)),
      ("message_id", JSONText.string(messageID)), ("created", String(created.seconds)),
      ("utc_offset", String(created.utcOffset)), ("body", JSONText.string(body)),
    ]
    if let configuration { members.append(("configuration", JSONText.string(configuration))) }
    if others > 0 { members.append(("others", String(others))) }
    if let recipients {
      members.append(("recipients", "[" + recipients.map(JSONText.string).joined(separator: ",") + "]"))
    }
    return Array((JSONText.object(members) + "\n").utf8)
  }

  /// Reads a file of the spool; nil for one that is not.
  init?(file: [UInt8]) {
    let text: JSONValue
    do throws(JSONError) { text = try JSONReader.value(file) } catch { return nil }
    guard text.member("schema")?.integer == 1, let stream = text.member("stream")?.string,
      let subject = text.member("subject")?.string, let body = text.member("body")?.string,
      let messageID = text.member("message_id")?.string, !messageID.isEmpty,
      let created = text.member("created")?.integer.flatMap({ Int64(exactly: $0) }),
      let offset = text.member("utc_offset")?.integer.flatMap({ Int32(exactly: $0) })
    else { return nil }
    var recipients: [String]?
    if case .array(let values) = text.member("recipients")?.content {
      recipients = values.compactMap(\.string)
    }
    self.init(
      stream: stream, configuration: text.member("configuration")?.string, subject: subject, body: body,
      messageID: messageID, created: Timestamp(seconds: created, utcOffset: offset),
      others: text.member("others")?.integer.flatMap { Int(exactly: $0) } ?? 0, recipients: recipients)
  }

  /// The mail to send now.
  func message(_ configuration: MailConfiguration, date: Timestamp) -> MailMessage {
    MailMessage(
      from: configuration.from, to: configuration.to,
      subject: others > 0 ? "\(subject) (and \(others) more)" : subject, date: date, messageID: messageID,
      body: body + "\n")
  }
}
