public import INI

/// Which web server gets the records, as a section, such as `[http]`, and `[ssl_options]` say it.
///
/// Its description and its errors have neither the password nor the token.
public struct HTTPRecordsConfiguration: Sendable, Hashable {
  /// Where each record is posted to: `https://host:port/path`.
  public let url: String
  /// How long a request may take.
  public let timeout: Duration
  /// False where no certificate is looked at.
  public let verifies: Bool
  /// A file of the certificates to trust, in place of the system's.
  public let authorities: String?
  /// What is understood and most likely not meant so.
  public let warnings: [INIWarning]
  /// The section that says so, for messages.
  let section: String
  /// What proves who posts: a header field.
  let authorization: String?

  /// The keys of the section.
  public static let keys = [
    "host", "port", "path", "use_ssl", "username", "password", "token", "timeout",
  ]
  /// The keys of `[ssl_options]`: those of Python's `ssl.wrap_socket`, of which two apply here.
  public static let sslKeys = [
    "ca_certs", "cert_reqs", "keyfile", "certfile", "ciphers", "ssl_version", "server_hostname",
  ]

  /// How long a request may take, unless the file says otherwise.
  public static let standardTimeout = Duration.seconds(30)

  /// Reads the sections. `otherKeys` of the first one are for others.
  public init(
    _ section: INISection, ssl: INISection? = nil, otherKeys: [String] = []
  ) throws(INIError) {
    try section.checkKeys(known: Self.keys + otherKeys)
    try ssl?.checkKeys(known: Self.sslKeys)
    let values = SectionValues(section: section)
    self.section = section.name
    var warnings: [INIWarning] = []
    let host = try values.required("host") {
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
      try values.value("path") {
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
    url = "\(usesTLS ? "https" : "http")://\(host.contains(":") ? "[\(host)]" : host):\(port)\(path)"
    authorization = try Self.authorization(values)
    if !usesTLS, authorization != nil, let entry = section.entry("password") ?? section.entry("token") {
      warnings.append(
        INIWarning(
          file: section.file, line: entry.line,
          what: "\(entry.key) can be read on the way: use_ssl = yes protects it"))
    }
    let options = try ssl.map { ssl throws(INIError) in
      try Self.options(SectionValues(section: ssl), isUsed: usesTLS, &warnings)
    }
    verifies = options?.verifies ?? true
    authorities = options?.authorities ?? nil
    self.warnings = warnings
  }

  private static func options(
    _ values: SectionValues, isUsed: Bool, _ warnings: inout [INIWarning]
  ) throws(INIError) -> (verifies: Bool, authorities: String?) {
    let section = values.section
    for key in sslKeys.dropFirst(2) {
      guard let entry = section.entry(key) else { continue }
      warnings.append(
        INIWarning(
          file: section.file, line: entry.line, what: "\(entry.key) does not apply to HTTP: it is left out"))
    }
    let authorities = try values.value("ca_certs") {
      isText($0) && !$0.isEmpty ? $0 : nil
    } wanted: {
      "the path of a file"
    }
    let verifies =
      try values.value("cert_reqs") { text in
        switch text.split(separator: ".").last {
        case "CERT_NONE": false
        case "CERT_OPTIONAL", "CERT_REQUIRED": true
        default: nil
        }
      } wanted: {
        "CERT_REQUIRED, or CERT_NONE to take any certificate"
      } ?? true
    if isUsed, !verifies, let entry = section.entry("cert_reqs") {
      warnings.append(
        INIWarning(
          file: section.file, line: entry.line,
          what: "no certificate is looked at, so anybody on the way can read and change what is sent: "
            + "name who issued it by ca_certs instead"))
    }
    return (verifies, authorities)
  }

  private static func authorization(_ values: SectionValues) throws(INIError) -> String? {
    let secret = { "one line of text" }
    let user = try values.value("username") {
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
    return user.map { "Authorization: Basic \(Base64.text(Array("\($0):\(password ?? "")".utf8)))" }
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
  /// The URL.
  public var description: String { url }
  /// The URL.
  public var debugDescription: String { url }
  /// Nothing: what is secret stays so.
  public var customMirror: Mirror { Mirror(self, children: []) }
}
