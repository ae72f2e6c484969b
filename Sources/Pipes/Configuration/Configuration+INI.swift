public import INI
import Model

extension Configuration {
  /// The keys of a `type=pipe` section.
  public static let keys = [
    "type", "port", "newhost", "newport", "shape_threshold", "bind", "max_conn", "connect_timeout",
    "idle_timeout", "fin_timeout",
  ]
  /// What a time limit may be.
  public static let times = Duration.milliseconds(10)...Duration.seconds(31_536_000)

  /// Reads a `type=pipe` section of a monitor configuration.
  ///
  /// `port` and `newhost` are required, `newport` is `port` where it is not given, `shape_threshold` is in units of
  /// 1024 bytes a second for each direction (0 for no limit), `bind` an address, the times in seconds. An unknown key
  /// is an error.
  public init(section: INISection) throws(INIError) {
    try section.checkKeys(known: Self.keys)
    guard let port = try section.integer("port", in: 1...65535) else {
      throw section.error("[\(section.name)] needs port, the port to listen on: add a line port=...")
    }
    let host = try section.required("newhost")
    let remotePort = try section.integer("newport", in: 1...65535)
    self.init(
      port: UInt16(port), host: Self.unescaped(host), remotePort: UInt16(remotePort ?? port))
    if self.host != host {
      warnings.append(.escapedHost(host, in: section, meaning: self.host))
    }
    if let reason = Self.reasonNotAHost(self.host), let entry = section.entry("newhost") {
      throw section.error(at: entry, "newhost=\(self.host.escapingControlCharacters) \(reason)")
    }
    if let text = section.text("bind"), let entry = section.entry("bind") {
      guard let address = IPAddress(text) else {
        throw section.error(
          at: entry,
          "bind=\(text.escapingControlCharacters) must be an address of this host, for example 127.0.0.1 or ::1"
        )
      }
      if let reason = Self.reasonNotUsable(address) {
        throw section.error(at: entry, "bind=\(text.escapingControlCharacters) \(reason)")
      }
      bind = address
    }
    if let limit = try section.rate("shape_threshold"), limit > 0 {
      receivedLimit = .kibibytesPerSecond(limit)
      sentLimit = receivedLimit
    }
    place = "\(section.file):\(section.line)"
    maxConnections = try section.integer("max_conn", in: 1...1_000_000_000)
    idleTimeout = try section.seconds("idle_timeout", in: Self.times)
    if let time = try section.seconds("connect_timeout", in: Self.times) { connectTimeout = time }
    if let time = try section.seconds("fin_timeout", in: Self.times) { finTimeout = time }
  }

  /// `host` without the backslashes that the predecessor's sample has before its dots.
  static func unescaped(_ host: String) -> String {
    var text = ""
    var isEscaped = false
    for character in host {
      if isEscaped && character != "." { text.append("\\") }
      isEscaped = !isEscaped && character == "\\"
      if !isEscaped { text.append(character) }
    }
    return isEscaped ? text + "\\" : text
  }

  /// Why `host` can be neither a name nor an address; nil where it can.
  public static func reasonNotAHost(_ host: String) -> String? {
    if host.isEmpty { return "is empty: give a host name or an address" }
    if host.utf8.count > 253 { return "is too long: a host name has at most 253 bytes" }
    let forbidden = host.utf8.first {
      $0 <= 0x20 || $0 == 0x7f || $0 == UInt8(ascii: "\\") || $0 == UInt8(ascii: "/")
    }
    let pieces = host.split(separator: ":", omittingEmptySubsequences: false)
    if pieces.count == 2, let port = UInt16(pieces[1]) {
      return "names a port too: give the host and the port apart, `\(pieces[0])` and `\(port)`"
    }
    if forbidden != nil { return "is no host name: it may not contain spaces, slashes or backslashes" }
    // What follows a percent sign is the interface of a link-local address (RFC 4007).
    return host.split(separator: "%").first.flatMap { IPAddress($0) }.flatMap(reasonNotUsable)
  }

  /// Why a pipe can neither listen on `address` nor forward to it; nil where it can.
  public static func reasonNotUsable(_ address: IPAddress) -> String? {
    address.isLinkLocalV6
      ? "is a link-local address (fe80::/10), which a pipe cannot use: give another one of that host" : nil
  }
}

extension Warning {
  fileprivate static func escapedHost(_ host: String, in section: INISection, meaning: String) -> Warning {
    let line = section.entry("newhost")?.line ?? section.line
    return Warning(
      code: "escaped_host",
      text: "\(section.file):\(line): newhost=\(host) is a regular expression, taken as \(meaning): "
        + "remove the backslashes.")
  }
}
