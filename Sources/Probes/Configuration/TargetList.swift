public import INI
public import Model

/// connmonitor's file: a line a host, with what is asked of it.
///
/// `host option=value ...`: the host first, then options in any case and order, divided by white space. Blank lines and
/// what stands behind a `#` are left out; the original took such a line for a host, which a note says.
public struct TargetList: Sendable, Hashable {
  /// The options of a line, as the samples write them.
  public static let options = TargetOption.allCases.map(\.rawValue)

  /// A plan for each line with a host, in their order; none for a file without hosts.
  public let plans: [ProbePlan]
  /// What the administrator should know of how the file was read.
  public let warnings: [Warning]

  /// Reads the text of a file; `name` is only for messages, which begin with `name:line:`.
  ///
  /// Throws an error for a file or line that is too long, for text that is not UTF-8, and for the first line that has no
  /// host, an option that is unknown, repeated, without a value or with a wrong one, or that asks for nothing.
  public init(name: String, bytes: some Collection<UInt8>) throws(INIError) {
    var plans: [ProbePlan] = []
    var comment: Int?
    try TextLines.forEach(in: bytes, of: name) { line, number throws(INIError) in
      let words = line.words
      if words.hasComment { comment = comment ?? number }
      guard let host = words.text.first else { return }
      let place = Place(file: name, line: number)
      var plan = TargetLine(place)
      try plan.read(host: host)
      for word in words.text.dropFirst() { try plan.read(option: word) }
      plans.append(try plan.finish())
    }
    self.plans = plans
    warnings = comment.map { [Self.note(of: Place(file: name, line: $0))] } ?? []
  }

  private static func note(of place: Place) -> Warning {
    Warning(
      code: "target_comment",
      text:
        "\(place.file):\(place.line): connmonitor 4.1.3 takes comments for hosts: remove them if it reads "
        + "this file as well.", isNote: true)
  }
}

/// An option of a line.
enum TargetOption: String, CaseIterable, Sendable {
  case ping, numpings, payload, trace, hops, hoptimeout, scan, json, timestamp
}

/// A line of a file.
struct Place {
  var file: String
  var line: Int

  func error(_ what: String) -> INIError { INIError(file: file, line: line, what: what) }
}

/// Collects what the words of one line say.
private struct TargetLine {
  private let place: Place
  private var plan: ProbePlan
  private var seen: Set<TargetOption> = []
  // Pings are on unless they are turned off.
  private var ping = ProbePlan.Ping(interval: .milliseconds(500))
  private var trace = ProbePlan.Trace(interval: .zero)
  private var scan = ProbePlan.Scan(interval: .zero)

  init(_ place: Place) {
    self.place = place
    plan = ProbePlan(host: "", line: place.line)
  }

  mutating func read(host: String) throws(INIError) {
    if let reason = HostText.reasonNotAHost(host) { throw place.error("\(host.quoted) \(reason)") }
    plan.host = host
  }

  mutating func read(option word: String) throws(INIError) {
    let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    guard let option = TargetOption(rawValue: parts[0].lowercased()) else { throw unknown(parts) }
    guard parts.count == 2 else {
      throw place.error("\(word.quoted) has no value: write \(option.example), or remove it")
    }
    guard seen.insert(option).inserted else {
      throw place.error("\(option.rawValue) is given twice for \(plan.host.quoted): keep one of both")
    }
    let value = TargetValue(option: option, text: parts[1], place: place)
    switch option {
    case .ping: ping.interval = try value.interval()
    case .numpings: ping.count = try value.number(in: ProbePlan.counts)
    case .payload: ping.payload = try value.number(in: ProbePlan.payloads)
    case .trace: trace.interval = try value.interval()
    case .hops: trace.hops = try value.number(in: ProbePlan.hops)
    case .hoptimeout: trace.hopTimeout = try value.time(in: ProbePlan.hopTimeouts)
    case .scan: scan.interval = try value.interval()
    case .json: plan.usesJSON = try value.truth()
    case .timestamp: plan.hasTimestamp = try value.truth()
    }
  }

  func finish() throws(INIError) -> ProbePlan {
    var plan = plan
    if ping.interval > .zero { plan.ping = ping }
    if trace.interval > .zero { plan.trace = trace }
    if scan.interval > .zero { plan.scan = scan }
    guard plan.ping != nil || plan.trace != nil || plan.scan != nil else {
      throw place.error(
        "nothing is asked of \(plan.host.quoted): set ping, trace or scan to more than 0, in ms")
    }
    return plan
  }

  private func unknown(_ parts: [String]) -> INIError {
    let name = parts[0]
    if name.isEmpty {
      return place.error("the option before the = is missing: write option=value without spaces")
    }
    if let near = Spelling.nearest(to: name, in: TargetList.options) {
      return place.error("unknown option \(name.quoted) (did you mean \(near)?)")
    }
    let hint = parts.count == 1 ? "a line has one host; " : ""
    return place.error(
      "unknown option \(name.quoted): \(hint)the options are \(TargetList.options.joined(separator: ", "))")
  }
}

extension TargetOption {
  /// The option with a value that fits.
  fileprivate var example: String {
    switch self {
    case .ping: "ping=500"
    case .numpings: "numpings=10"
    case .payload: "payload=41"
    case .trace: "trace=5000"
    case .hops: "hops=30"
    case .hoptimeout: "hoptimeout=1000"
    case .scan: "scan=5000"
    case .json: "json=true"
    case .timestamp: "timestamp=false"
    }
  }
}

extension String {
  /// The words before a `#`, and whether there is one: no host and no value has it.
  fileprivate var words: (text: [String], hasComment: Bool) {
    let comment = unicodeScalars.firstIndex(of: "#")
    let text = unicodeScalars[..<(comment ?? unicodeScalars.endIndex)]
    return (text.split { $0.properties.isWhitespace }.map { String($0) }, comment != nil)
  }

  /// A user's text in quotes for a message.
  var quoted: String { "\"\(escapingControlCharacters.shortened(to: 60))\"" }
}
