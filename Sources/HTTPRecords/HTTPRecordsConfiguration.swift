public import INI

/// Which web server gets the records, as a section, such as `[http]`, and `[ssl_options]` say it.
///
/// Its description and its errors have neither the password nor the token.
public struct HTTPRecordsConfiguration: Sendable, Hashable {
  /// Where each record is posted to: `https://host:port/path`.
  let url: String
  /// The server, for people: `https://host:port`. A path may hold what is secret.
  let server: String
  /// How long a request may take.
  let timeout: Duration
  /// False where no certificate is looked at.
  let verifies: Bool
  /// A file of the certificates to trust, in place of the system's.
  let authorities: String?
  /// What is understood and most likely not meant so.
  public let warnings: [INIWarning]
  /// The section that says so, for messages.
  let section: String
  /// What proves who posts: a header field.
  let authorization: String?

  /// The keys of the section.
  static let keys = [
    "host", "port", "path", "use_ssl", "username", "password", "token", "timeout",
  ]
  /// How long a request may take, unless the file says otherwise.
  static let standardTimeout = Duration.seconds(30)

  /// Reads the sections. `otherKeys` of the first one are for others.
  public init(
    _ section: INISection, ssl: INISection? = nil, otherKeys: [String] = []
  ) throws(INIError) {
    try section.checkKeys(known: Self.keys + otherKeys)
    try ssl?.checkKeys(known: INISection.tlsKeys)
    let values = SectionValues(section: section)
    self.section = section.name
    var warnings: [INIWarning] = []
    // A whole URL in its place may hold a password.
    let isShown = section.text("host")?.contains("@") != true
    let host = try values.required("host", isShown: isShown) {
      Self.isHost($0) ? $0 : nil
    } wanted: {
      "the name or address of the server alone, without a scheme or a path"
    }
    let port = try values.required("port") {
      UInt16($0).flatMap { $0 > 0 ? $0 : nil }
    } wanted: {
      "a whole number from 1 to 65535"
    }
    let path =
      try values.secret("path") {
        Self.isPath($0) ? $0 : nil
      } wanted: {
        "a path that begins with /, without spaces"
      } ?? "/"
    let usesTLS = try values.value("use_ssl", as: Self.boolean) { "yes or no" } ?? true
    timeout =
      try values.value("timeout") { text in
        DurationText.duration(text).flatMap {
          (.milliseconds(100)...(.seconds(3600))).contains($0) ? $0 : nil
        }
      } wanted: {
        "from 0.1 to 3600 seconds"
      } ?? Self.standardTimeout
    server = "\(usesTLS ? "https" : "http")://\(host.contains(":") ? "[\(host)]" : host):\(port)"
    url = server + path
    authorization = try Self.authorization(values)
    if !usesTLS, authorization != nil, let entry = section.entry("password") ?? section.entry("token") {
      warnings.append(
        INIWarning(
          file: section.file, line: entry.line,
          what: "\(entry.key) can be read on the way: use_ssl = yes protects it"))
    }
    let rules = try ssl.map { ssl throws(INIError) in
      try Self.rules(ssl, isUsed: usesTLS, &warnings)
    }
    verifies = rules?.verifies ?? true
    authorities = rules?.authorities
    self.warnings = warnings
  }

  private static func rules(
    _ section: INISection, isUsed: Bool, _ warnings: inout [INIWarning]
  ) throws(INIError) -> CertificateRules {
    for key in INISection.tlsKeys where key != "ca_certs" && key != "cert_reqs" {
      guard let entry = section.entry(key) else { continue }
      warnings.append(
        INIWarning(
          file: section.file, line: entry.line, what: "\(entry.key) does not apply to HTTP: it is left out"))
    }
    let rules = try section.certificateRules(isUsed: isUsed)
    warnings += rules.warnings
    return rules
  }

  private static func authorization(_ values: SectionValues) throws(INIError) -> String? {
    let secret = { "one line of text" }
    // It may be written with its password.
    let user = try values.secret("username") {
      isText($0) && !$0.isEmpty && !$0.contains(":") ? $0 : nil
    } wanted: {
      "a name without a colon"
    }
    let password = try values.secret("password") {
      isText($0) ? $0 : nil
    } wanted: {
      secret()
    }
    let token = try values.secret("token") {
      isText($0) && !$0.isEmpty && !$0.contains(" ") ? $0 : nil
    } wanted: {
      "one word"
    }
    let section = values.section
    if let token {
      if let entry = section.entry("username") ?? section.entry("password") {
        throw section.error(at: entry, "\(entry.key) and token exclude each other: take one out")
      }
      return "Authorization: Bearer \(token)"
    }
    if user == nil, let entry = section.entry("password") {
      throw section.error(at: entry, "password needs username: add a line username=...")
    }
    return user.map {
      "Authorization: Basic \(BasicCredentials.encoded(Array("\($0):\(password ?? "")".utf8)))"
    }
  }

  private static func boolean(_ text: String) -> Bool? {
    switch text.lowercased() {
    case "1", "yes", "true", "on": true
    case "0", "no", "false", "off": false
    default: nil
    }
  }

  private static func isHost(_ text: String) -> Bool {
    !text.isEmpty && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f && !"/@?#[]\\%\"<>".utf8.contains($0) }
  }

  private static func isPath(_ text: String) -> Bool {
    text.hasPrefix("/") && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "#") }
  }

  private static func isText(_ text: String) -> Bool { text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7f } }
}

extension HTTPRecordsConfiguration: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  /// The server.
  public var description: String { server }
  /// The server.
  public var debugDescription: String { server }
  /// Nothing: what is secret stays so.
  public var customMirror: Mirror { Mirror(self, children: []) }
}
