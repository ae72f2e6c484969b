public import INI
import Model

extension PipeConfiguration {
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
      port: UInt16(port), host: Self.withoutBrackets(Self.unescaped(host)),
      remotePort: UInt16(remotePort ?? port))
    if Self.unescaped(host) != host {
      warnings.append(.escapedHost(host, in: section, meaning: self.host))
    }
    if let reason = Self.reasonNotAHost(self.host), let entry = section.entry("newhost") {
      throw section.error(at: entry, "newhost=\(self.host.escapingControlCharacters) \(reason)")
    }
    if let text = section.text("bind"), let entry = section.entry("bind") {
      do throws(BindAddress.Problem) {
        let place = try BindAddress(text)
        (bind, bindInterface) = (place.address, place.interface)
      } catch { throw section.error(at: entry, "bind=\(text.escapingControlCharacters) \(error.reason)") }
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
