public import INI

extension RabbitConfiguration {
  /// The keys of the section with the broker.
  public static let keys = [
    "host", "port", "username", "password", "use_ssl", "vhost", "queue", "routing_key", "exchange",
    "heartbeat",
    "declare",
  ]
  /// The section with the properties of the queue, and its keys.
  public static let queueSection = "rabbit_queue_options"
  static let queueKeys = ["passive", "durable", "exclusive", "auto_delete"]
  /// The section with the options of TLS, and its keys.
  public static let tlsSection = "ssl_options"
  static let tlsKeys = [
    "keyfile", "certfile", "cert_reqs", "ssl_version", "ca_certs", "ciphers", "server_hostname",
  ]

  /// Reads the section of this name, and with it `[rabbit_queue_options]` and `[ssl_options]` where they are there.
  ///
  /// All keys but `heartbeat` and `declare` are required; with `needsQueue` false also `queue` and `routing_key` may be
  /// missing. `password`, `routing_key` and `exchange` may be empty. A value may be a variable, whose value `variable`
  /// returns (`INISection.expanding`). `otherKeys` of the section are for others. Throws an error for an unknown key, and for a value that cannot be used.
  public init(
    file: INIFile, section name: String = "rabbit", needsQueue: Bool = true, otherKeys: [String] = [],
    variable: (String) -> String? = { _ in nil }
  ) throws(INIError) {
    func find(_ name: String) -> INISection? {
      file.sections.first { $0.name == name }?.expanding(variable)
    }
    guard let section = find(name) else {
      let optional = ["heartbeat", "declare"] + (needsQueue ? [] : ["queue", "routing_key"])
      let needed = Self.keys.filter { !optional.contains($0) }
      throw INIError(
        file: file.name, line: 1,
        what: "there is no [\(name)]: add the section with the keys \(needed.joined(separator: ", "))")
    }
    try section.checkKeys(known: Self.keys + otherKeys)
    self.init(
      host: try section.required("host"), port: try Self.port(section),
      user: try Self.short(section, "username", try section.required("username")),
      password: Password(try Self.present(section, "password")))
    self.section = name
    vhost = try Self.short(section, "vhost", try section.required("vhost"))
    exchange = try Self.short(section, "exchange", try Self.present(section, "exchange"))
    if needsQueue || section.entry("queue") != nil {
      queue = try Self.short(section, "queue", try section.required("queue"))
    }
    if needsQueue || section.entry("routing_key") != nil {
      routingKey = try Self.short(section, "routing_key", try Self.present(section, "routing_key"))
    }
    heartbeat = try section.integer("heartbeat", in: 0...65_535) ?? heartbeat
    let declaration = try Self.declaration(section)
    self.declaration = declaration ?? .auto
    if let options = find(Self.queueSection) { try read(queue: options, declaration) }
    _ = try Self.present(section, "use_ssl")
    // Wrong options are an error also where TLS is not spoken yet.
    let tls = try find(Self.tlsSection).map(Self.tls) ?? TLS()
    if try section.boolean("use_ssl") == true { self.tls = tls }
  }

  /// The value of a key that must be there and may be empty.
  private static func present(_ section: INISection, _ key: String) throws(INIError) -> String {
    guard let value = section.text(key) else {
      throw section.error("[\(section.name)] needs \(key): add a line \(key)=...")
    }
    return value
  }

  /// A text that AMQP sends with one byte for its length.
  private static func short(_ section: INISection, _ key: String, _ value: String) throws(INIError) -> String
  {
    guard value.utf8.count > 255, let entry = section.entry(key) else { return value }
    throw section.error(at: entry, "\(key) has more than 255 bytes, which AMQP does not allow: shorten it")
  }

  private static func port(_ section: INISection) throws(INIError) -> UInt16 {
    _ = try section.required("port")
    return UInt16(try section.integer("port", in: 1...65_535) ?? 0)
  }

  private static func declaration(_ section: INISection) throws(INIError) -> Declaration? {
    guard let entry = section.entry("declare") else { return nil }
    if let declaration = Declaration(rawValue: entry.value.lowercased()) { return declaration }
    throw wrong(section, entry, Declaration.allCases.map(\.rawValue))
  }

  private static func wrong(_ section: INISection, _ entry: INIEntry, _ words: [String]) -> INIError {
    let hint =
      Spelling.nearest(to: entry.value, in: words).map { " (did you mean \($0)?)" }
      ?? ": write one of \(words.joined(separator: ", "))"
    return section.error(at: entry, "\(entry.key)=\"\(entry.value.prefix(60))\" is not known\(hint)")
  }

  /// What the original took for false where it is empty.
  private static func isSet(_ section: INISection, _ key: String) throws(INIError) -> Bool {
    if section.text(key)?.isEmpty ?? true { return false }
    return try section.boolean(key) ?? false
  }

  private mutating func read(queue section: INISection, _ declaration: Declaration?) throws(INIError) {
    try section.checkKeys(known: Self.queueKeys)
    if section.entry("durable") != nil { queueOptions.isDurable = try Self.isSet(section, "durable") }
    queueOptions.isExclusive = try Self.isSet(section, "exclusive")
    queueOptions.isAutoDeleted = try Self.isSet(section, "auto_delete")
    guard try Self.isSet(section, "passive"), let entry = section.entry("passive") else { return }
    guard declaration == nil || declaration == .passive else {
      throw section.error(
        at: entry,
        "passive contradicts declare=\(self.declaration.rawValue) in [\(self.section)]: remove one of the two"
      )
    }
    self.declaration = .passive
  }

  private static func tls(_ section: INISection) throws(INIError) -> TLS {
    try section.checkKeys(known: tlsKeys)
    func text(_ key: String) -> String? { section.text(key).flatMap { $0.isEmpty ? nil : $0 } }
    var tls = TLS()
    tls.authorities = text("ca_certs")
    tls.certificate = text("certfile")
    tls.key = text("keyfile")
    tls.ciphers = text("ciphers")
    tls.serverName = text("server_hostname")
    if tls.key != nil, tls.certificate == nil, let entry = section.entry("keyfile") {
      throw section.error(at: entry, "keyfile is of no use without its certificate: add a line certfile=...")
    }
    if let value = text("cert_reqs"), let entry = section.entry("cert_reqs") {
      guard let verifies = verification(value) else {
        throw wrong(section, entry, ["CERT_REQUIRED", "CERT_NONE"])
      }
      tls.verifies = verifies
    }
    if let value = text("ssl_version"), let entry = section.entry("ssl_version") {
      guard let isOnlyTLS12 = isOnlyTLS12(value) else {
        throw section.error(
          at: entry,
          "ssl_version=\"\(value.prefix(60))\" is not known or not safe: write PROTOCOL_TLS for 1.2 and later, or"
            + " remove it")
      }
      tls.isOnlyTLS12 = isOnlyTLS12
    }
    return tls
  }

  /// A name of Python's module ssl, with or without the module's name before it.
  private static func constant(_ value: String) -> String {
    let value = value.lowercased()
    return value.hasPrefix("ssl.") ? String(value.dropFirst(4)) : value
  }

  private static func verification(_ value: String) -> Bool? {
    switch constant(value) {
    // A broker always shows a certificate: Python's optional is required here too.
    case "cert_required", "cert_optional", "required", "optional", "2", "1": true
    case "cert_none", "none", "0": false
    default: nil
    }
  }

  private static func isOnlyTLS12(_ value: String) -> Bool? {
    switch constant(value) {
    // What Python calls SSLv23 is all that both sides know.
    case "protocol_tls", "protocol_tls_client", "protocol_sslv23": false
    case "protocol_tlsv1_2": true
    default: nil
    }
  }
}
