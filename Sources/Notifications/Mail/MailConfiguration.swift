import Model

/// How mails are sent: a `sendMailConfig.json`, as pySendMail reads it, with keys of our own.
public struct MailConfiguration: Sendable, Hashable {
  /// Who mails are from.
  public var from: String
  /// Who they are for.
  public var to: [String]
  /// The server's name or address.
  public var server: String
  /// Its port.
  public var port: UInt16
  /// Who sends; nil to say nothing of it.
  public var user: String?
  /// The password of `user`.
  public var password: String
  /// True for TLS from the first byte.
  public var isImplicitTLS: Bool
  /// False to send in the clear where TLS does not come first.
  public var needsTLS: Bool
  /// False to take any certificate.
  public var verifies: Bool
  /// How long the server may take to answer; nil for as long as the whole session.
  public var timeout: Duration?
  /// A file of the certificates to trust, in place of the system's.
  public var authorities: String?

  /// The longest that sending a mail may take, whatever the configuration says.
  public static let longestSession = Duration.seconds(300)

  /// The longest configuration.
  public static let maximumSize = 256 << 10
}

/// Why a mail configuration cannot be used: the file, the line, and a sentence that ends with what to do.
public struct MailConfigurationError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The file's name.
  public var file: String
  /// The line, from 1.
  public var line: Int
  /// What is wrong, and what to do.
  public var what: String

  /// `file:line: what`.
  public var description: String { "\(file.escapingControlCharacters):\(line): \(what)." }
}

extension MailConfiguration {
  /// Reads a configuration from the bytes of the file `name`.
  ///
  /// `mail.from`, `mail.to` (addresses with commas between), `mail.smtp.server`, `.port` (0: 465 with `tls`, else 25; then
  /// the server may be HOST:PORT), `.user` (missing or empty: no login), `.password`, `.tls` (true: TLS first; false:
  /// STARTTLS, without which nothing is sent), `.timeout` in seconds (0: none). Ours: `.verify` (true), `.starttls` (true),
  /// `.cafile`. Of a repeated key the last counts; `"//"` is a comment.
  public init(name: String, bytes: [UInt8]) throws(MailConfigurationError) {
    do throws(JSONError) { self = try Self.read(try JSONReader.value(bytes)) } catch {
      throw MailConfigurationError(file: name, line: error.line, what: error.what)
    }
  }

  private static func read(_ text: JSONValue) throws(JSONError) -> Self {
    let root = try JSONObject(text, "the configuration", keys: ["mail"])
    let mail = try JSONObject(try root.required("mail"), "mail", keys: ["from", "to", "smtp"])
    let smtp = try JSONObject(
      try mail.required("smtp"), "mail.smtp",
      keys: ["server", "port", "user", "password", "tls", "timeout", "verify", "starttls", "cafile"])
    let isImplicit = try smtp.boolean("tls") ?? false
    let place = try place(smtp, isImplicit: isImplicit)
    let user = try smtp.text("user") ?? ""
    let authorities = try smtp.text("cafile") ?? ""
    return Self(
      from: try address(try mail.requiredText("from"), mail.line("from")),
      to: try addresses(try mail.requiredText("to"), mail.line("to")),
      server: place.host, port: place.port, user: user.isEmpty ? nil : user,
      password: try smtp.text("password") ?? "", isImplicitTLS: isImplicit,
      needsTLS: try smtp.boolean("starttls") ?? true, verifies: try smtp.boolean("verify") ?? true,
      timeout: try smtp.seconds("timeout"), authorities: authorities.isEmpty ? nil : authorities)
  }

  private static func place(
    _ smtp: JSONObject, isImplicit: Bool
  ) throws(JSONError) -> (host: String, port: UInt16) {
    let server = try smtp.requiredText("server")
    let line = smtp.line("server")
    let port = try smtp.integer("port", in: 0...65_535) ?? 0
    var (host, given) = (Substring(server), Optional<Substring>.none)
    if server.hasPrefix("["), let end = server.firstIndex(of: "]") {
      host = server[server.index(after: server.startIndex)..<end]
      let rest = server[server.index(after: end)...]
      given = rest.isEmpty ? nil : rest
    } else if server.filter({ $0 == ":" }).count == 1, let colon = server.firstIndex(of: ":") {
      (host, given) = (server[..<colon], server[colon...])
    }
    guard !host.isEmpty, host.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f && !"/@?#[]\\%".utf8.contains($0) })
    else {
      throw JSONError(line: line, what: "mail.smtp.server is not a name or address: write HOST or HOST:PORT")
    }
    guard let given else { return (String(host), UInt16(port != 0 ? port : isImplicit ? 465 : 25)) }
    guard given.hasPrefix(":"), let number = UInt16(given.dropFirst()), number != 0 else {
      throw JSONError(line: line, what: "mail.smtp.server has a wrong port: write HOST:PORT")
    }
    guard port == 0 || port == Int(number) else {
      throw JSONError(
        line: line, what: "mail.smtp.server and mail.smtp.port name different ports: set port to 0")
    }
    return (String(host), number)
  }

  private static func addresses(_ text: String, _ line: Int) throws(JSONError) -> [String] {
    var addresses: [String] = []
    for part in text.split(separator: ",") {
      let part = part.trimmingSpaces
      if !part.isEmpty { addresses.append(try address(part, line)) }
    }
    guard (1...100).contains(addresses.count) else {
      throw JSONError(
        line: line, what: "mail.to has no or more than 100 addresses: write from 1 to 100 with commas between"
      )
    }
    return addresses
  }

  private static func address(_ text: String, _ line: Int) throws(JSONError) -> String {
    let text = text.trimmingSpaces
    let isPlain = text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f && !"<>,;\"\\()".utf8.contains($0) }
    guard !text.isEmpty, isPlain, text.utf8.count <= 320, !text.hasPrefix("@"), !text.hasSuffix("@") else {
      let shown = text.escapingControlCharacters.shortened(to: 80)
      throw JSONError(
        line: line, what: "`\(shown)` is not a mail address: write NAME@HOST in ASCII, without a display name"
      )
    }
    return text
  }
}

extension StringProtocol {
  /// Without white space at both ends.
  fileprivate var trimmingSpaces: String {
    String(drop { $0.isWhitespace }.reversed().drop { $0.isWhitespace }.reversed())
  }
}
