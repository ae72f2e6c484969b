public import INI
import Model

extension ProbePlan {
  /// The kinds of probes, values of `type`.
  public enum Kind: String, Sendable, Hashable, CaseIterable {
    /// Bursts of pings.
    case ping
    /// Traces of the route.
    case trace
    /// Looks at the services.
    case scan
    /// Attempts to connect to a TCP port.
    case connect

    /// The keys of a section of this type.
    var keys: [String] {
      switch self {
      case .ping: ["count", "numpings", "payload"]
      case .trace: ["hops", "hop_timeout"]
      case .scan: []
      case .connect: ["port"]
      }
    }
  }

  /// The keys of a section whose `type` is a `Kind`.
  public static let keys = ["type", "host", "interval", "reference"] + Kind.allCases.flatMap(\.keys)

  /// What the seconds from one round to the next may be.
  public static let intervals = Duration.milliseconds(100)...Duration.seconds(86_400)

  /// Reads a section of a monitor configuration with one probe.
  ///
  /// `type` and `host` are required, `port` for `type=connect` as well; `interval` is in seconds, or with a unit: 10 for
  /// pings and connections, 60 for traces and scans where it is not given; `hop_timeout` is in seconds as well; `count` (or
  /// `numpings`), `payload` and `hops` are connmonitor's; with `reference=yes` the host stands for this host's network. An
  /// unknown key, one of another type, and a trace as reference are errors.
  public init(section: INISection) throws(INIError) {
    try section.checkKeys(known: Self.keys)
    let kind = try Self.kind(of: section)
    try Self.checkKeys(of: section, for: kind)
    let host = try section.required("host")
    if let reason = HostText.reasonNotAHost(host), let entry = section.entry("host") {
      throw section.error(at: entry, "host=\(host.quoted) \(reason)")
    }
    self.init(host: host, line: section.line)
    name = section.name
    isReference = try section.boolean("reference") ?? false
    if isReference, kind == .trace, let entry = section.entry("reference") {
      throw section.error(
        at: entry, "reference=yes needs an answer that a trace does not give: remove it, or write type=ping")
    }
    let interval = try section.seconds("interval", in: Self.intervals) ?? kind.interval
    switch kind {
    case .ping:
      var ping = Ping(interval: interval)
      if let first = section.entry("count"), let second = section.entry("numpings") {
        let (one, other) = first.line < second.line ? (first, second) : (second, first)
        throw section.error(
          at: other,
          "\(other.key) is another name of \(one.key), which line \(one.line) has: remove one of them")
      }
      // A burst of none would always be lost.
      for key in ["count", "numpings"] {
        if let count = try section.integer(key, in: 1...Self.counts.upperBound) { ping.count = count }
      }
      if let payload = try section.integer("payload", in: Self.payloads) { ping.payload = payload }
      self.ping = ping
    case .trace:
      var trace = Trace(interval: interval)
      if let hops = try section.integer("hops", in: Self.hops) { trace.hops = hops }
      if let timeout = try section.seconds("hop_timeout", in: Self.hopTimeouts) { trace.hopTimeout = timeout }
      self.trace = trace
    case .scan: scan = Scan(interval: interval)
    case .connect:
      guard let port = try section.integer("port", in: 1...65535) else {
        throw section.error("[\(section.name)] needs port, the TCP port to connect to: add a line port=...")
      }
      connect = Connect(interval: interval, port: UInt16(port))
    }
  }

  private static func kind(of section: INISection) throws(INIError) -> Kind {
    let text = try section.required("type")
    if let kind = Kind(rawValue: text.lowercased()) { return kind }
    let kinds = Kind.allCases.map(\.rawValue)
    let hint = Spelling.nearest(to: text, in: kinds).map { " (did you mean \($0)?)" }
    let what = "type=\(text.quoted) is no probe" + (hint ?? ": write \(kinds.joined(separator: ", "))")
    throw section.error(atKey: "type", what)
  }

  private static func checkKeys(of section: INISection, for kind: Kind) throws(INIError) {
    for other in Kind.allCases where other != kind {
      for key in other.keys {
        guard let entry = section.entry(key) else { continue }
        throw section.error(
          at: entry, "\(entry.key) belongs to type=\(other.rawValue), not to type=\(kind.rawValue): remove it"
        )
      }
    }
  }
}

extension ProbePlan.Kind {
  fileprivate var interval: Duration {
    switch self {
    case .ping, .connect: .seconds(10)
    case .trace, .scan: .seconds(60)
    }
  }
}
