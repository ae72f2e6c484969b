public import Model

/// JSON lines: one object an event, `"schema":1`; keys are added, never changed.
///
/// Bytes are integers, rates are bytes per second, the time is RFC 3339 in UTC. `interval` is null in a
/// report made at the start, which has no rates: they read 0.0 there. Text is the original's, with control
/// characters as JSON's `\u` escapes.
public struct JSONRenderer: Renderer, Sendable {
  /// How long the last line was: the next will need about as much room.
  private var length = 0
  private var idle = IdleRows()
  private let origin: Origin
  private let showsAllRows: Bool

  /// Where lines come from: lines of several hosts are often kept in one place.
  public struct Origin: Sendable, Hashable {
    /// The name of the host.
    public var host: String
    /// The version of the program, such as `2.0.0`.
    public var version: String

    /// Makes an origin.
    public init(host: String, version: String) {
      self.host = host
      self.version = version
    }
  }

  /// Makes a renderer. With `showsAllRows` rows that have ended stay in all later reports; without, they are in the
  /// report of their last bytes, and then only in the sum `ended`.
  public init(origin: Origin, showsAllRows: Bool = false) {
    self.origin = origin
    self.showsAllRows = showsAllRows
  }

  /// Appends `event` as one line.
  public mutating func render(_ event: Event, to output: inout [UInt8]) {
    let start = output.count
    var writer = JSONWriter(after: &output, capacity: length + length / 8)
    writer.object { writer in
      writer.field("schema", 1)
      switch event {
      case .usage(let report): report.write(to: &writer, idle: &idle, all: showsAllRows)
      case .alert(let alert): alert.write(to: &writer)
      case .probeAlert(let alert): alert.write(to: &writer)
      case .probe(let result): result.write(to: &writer)
      case .outage(let outage): outage.write(to: &writer)
      case .route(let changed): changed.write(to: &writer)
      case .warning(let warning, let time):
        writer.field("event", "warning")
        writer.field("time", time.rfc3339)
        writer.field("state", warning.isResolved ? "resolved" : "firing")
        writer.field("code", warning.code)
        writer.field("text", warning.text)
      }
      writer.field("host", origin.host)
      writer.field("version", origin.version)
    }
    writer.endLine(into: &output)
    length = output.count - start
  }
}

extension JSONWriter {
  package mutating func field(_ key: String, _ value: String) {
    self.key(key)
    string(value)
  }

  package mutating func field(_ key: String, _ value: String?) {
    self.key(key)
    if let value { string(value) } else { null() }
  }

  package mutating func field(_ key: String, _ value: some BinaryInteger) {
    self.key(key)
    integer(value)
  }

  package mutating func field(_ key: String, _ value: Bool) {
    self.key(key)
    boolean(value)
  }

  mutating func field(_ key: String, _ value: Rate) {
    self.key(key)
    number(value.bytesPerSecond, decimals: 1)
  }

  package mutating func field(_ key: String, _ value: Duration?) {
    self.key(key)
    if let value { number(value.inSeconds, decimals: 3) } else { null() }
  }

  mutating func field(_ key: String, _ values: [Int32]) {
    self.key(key)
    array { writer in
      for value in values { writer.integer(value) }
    }
  }

  mutating func field(_ key: String, _ usage: Usage) {
    self.key(key)
    object { $0.fields(usage) }
  }

  mutating func fields(_ usage: Usage) {
    field("received", usage.received)
    field("sent", usage.sent)
  }
}

extension Alert {
  /// `count` says how often a firing alert was raised, 1 for the first time; `reason` why it is resolved.
  func write(to writer: inout JSONWriter) {
    writer.field("event", "alert")
    writer.field("time", time.rfc3339)
    state.write(to: &writer)
    writer.field("rule", rule)
    writer.field("subject", subject)
    writer.field("direction", direction.rawValue)
    writer.field("value", value)
    writer.field("threshold", threshold)
    writer.field("unit", "B/s")
    writer.field("interval", interval)
    writer.field("since", since.rfc3339)
    state.writeDetail(to: &writer)
    writer.field("pids", pids)
    if !probes.isEmpty { writer.field("probes", probes) }
  }
}

extension Alert.State {
  /// Whether an alert, of whatever, fires or is over.
  func write(to writer: inout JSONWriter) {
    switch self {
    case .firing, .repeated: writer.field("state", "firing")
    case .resolved: writer.field("state", "resolved")
    }
  }

  /// How often it was raised, or why it is over.
  func writeDetail(to writer: inout JSONWriter) {
    switch self {
    case .firing: writer.field("count", 1)
    case .repeated(let count): writer.field("count", count)
    case .resolved(let reason): writer.field("reason", reason.rawValue)
    }
  }
}
