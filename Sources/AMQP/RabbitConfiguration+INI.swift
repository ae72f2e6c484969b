public import INI

extension RabbitConfiguration {
  /// The keys of the section with the broker, and those that only a reader with a queue of its own has.
  static let keys = [
    "host", "port", "username", "password", "use_ssl", "vhost", "exchange", "heartbeat",
  ]
  static let queueKeys = ["queue", "routing_key", "declare"]
  /// The section with the properties of the queue, and its keys.
  static let optionsSection = "rabbit_queue_options"
  static let optionKeys = ["passive", "durable", "exclusive", "auto_delete"]
  /// The section with the options of TLS.
  static let tlsSection = "ssl_options"

  /// Reads the section of this name, and with it `[rabbit_queue_options]` and `[ssl_options]` where they are there.
  ///
  /// All keys but `heartbeat` and `declare` are required; with `needsQueue` false there is no `queue`, `routing_key` and
  /// `declare`, and no `[rabbit_queue_options]`. `password`, `routing_key` and `exchange` may be empty. A value may be a
  /// variable, whose value `variable` returns (`INISection.expanding`). `otherKeys` of the section are for others. Throws an
  /// error for an unknown key, and for a value that cannot be used.
  public init(
    file: INIFile, section name: String = "rabbit", needsQueue: Bool = true, otherKeys: [String] = [],
    variable: (String) -> String? = { _ in nil }
  ) throws(INIError) {
    func find(_ name: String) -> INISection? {
      file.sections.first { $0.name == name }?.expanding(variable)
    }
    guard let section = find(name) else {
      let needed = Self.keys.dropLast() + (needsQueue ? Self.queueKeys.dropLast() : [])
      throw INIError(
        file: file.name, line: 1,
        what: "there is no [\(name)]: add the section with the keys \(needed.joined(separator: ", "))")
    }
    try section.checkKeys(known: Self.keys + (needsQueue ? Self.queueKeys : []) + otherKeys)
    self.init(
      host: try Self.host(section), port: try Self.port(section),
      user: try Self.short(section, "username", try section.required("username")),
      password: Password(try Self.present(section, "password")))
    self.section = name
    vhost = try Self.short(section, "vhost", try section.required("vhost"))
    exchange = try Self.short(section, "exchange", try Self.present(section, "exchange"))
    heartbeat = try section.integer("heartbeat", in: 0...65_535) ?? heartbeat
    if needsQueue {
      queue = try Self.short(section, "queue", try section.required("queue"))
      routingKey = try Self.short(section, "routing_key", try Self.present(section, "routing_key"))
      let declaration = try Self.declaration(section)
      self.declaration = declaration ?? .auto
      if let options = find(Self.optionsSection) { try read(options: options, declaration) }
    }
    _ = try Self.present(section, "use_ssl")
    // Wrong options are an error also where TLS is not spoken yet.
    let usesTLS = try section.boolean("use_ssl") == true
    let options = try find(Self.tlsSection).map { options throws(INIError) in
      (try Self.tls(options), try options.certificateRules(isUsed: usesTLS))
    }
    guard usesTLS else { return }
    var tls = options?.0 ?? TLS()
    if let rules = options?.1 {
      (tls.verifies, tls.authorities, warnings) = (rules.verifies, rules.authorities, rules.warnings)
    }
    self.tls = tls
  }

  /// The broker's name or address. What looks like a URL may hold a password and is not shown.
  private static func host(_ section: INISection) throws(INIError) -> String {
    let host = try section.required("host")
    guard let entry = section.entry("host"), host.contains(where: { "@/".contains($0) || $0.isWhitespace })
    else {
      return host
    }
    throw section.error(
      at: entry, "host must be the name or address of the broker alone, without a scheme, a user or a path")
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
    return section.error(at: entry, "\(entry.key)=\(INIError.quoted(entry.value)) is not known\(hint)")
  }

  /// What the original took for false where it is empty.
  private static func isSet(_ section: INISection, _ key: String) throws(INIError) -> Bool {
    if section.text(key)?.isEmpty ?? true { return false }
    return try section.boolean(key) ?? false
  }

  private mutating func read(options section: INISection, _ declaration: Declaration?) throws(INIError) {
    try section.checkKeys(known: Self.optionKeys)
    if section.entry("durable") != nil { queueOptions.isDurable = try Self.isSet(section, "durable") }
    if try Self.isSet(section, "exclusive"), let entry = section.entry("exclusive") {
      throw section.error(
        at: entry,
        "an exclusive queue ends with the connection, and what was confirmed with it: write exclusive=no")
    }
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
    try section.checkKeys(known: INISection.tlsKeys)
    func text(_ key: String) -> String? { section.text(key).flatMap { $0.isEmpty ? nil : $0 } }
    var tls = TLS()
    tls.certificate = text("certfile")
    tls.key = text("keyfile")
    tls.ciphers = text("ciphers")
    tls.serverName = text("server_hostname")
    if tls.key != nil, tls.certificate == nil, let entry = section.entry("keyfile") {
      throw section.error(at: entry, "keyfile is of no use without its certificate: add a line certfile=...")
    }
    if let value = text("ssl_version"), let entry = section.entry("ssl_version") {
      guard let isOnlyTLS12 = isOnlyTLS12(value) else {
        throw section.error(
          at: entry,
          "ssl_version=\(INIError.quoted(value)) is not known or not safe: write PROTOCOL_TLS for 1.2 and later, or"
            + " remove it")
      }
      tls.isOnlyTLS12 = isOnlyTLS12
    }
    return tls
  }

  private static func isOnlyTLS12(_ value: String) -> Bool? {
    switch INISection.constant(value) {
    // What Python calls SSLv23 is all that both sides know.
    case "protocol_tls", "protocol_tls_client", "protocol_sslv23": false
    case "protocol_tlsv1_2": true
    default: nil
    }
  }
}
