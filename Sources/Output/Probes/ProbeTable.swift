import Model

/// What connvitals found, for people at a terminal: never wider than it, colours only where something is wrong.
public struct ProbeTable: Sendable, Hashable {
  /// Columns of the terminal.
  public var width: Int
  /// True to emphasise with colours; false when NO_COLOR is set.
  public var color: Bool

  /// Makes a table for a terminal of the given width.
  public init(width: Int, color: Bool) {
    self.width = width
    self.color = color
  }

  /// The lines of `report`: the host, then under it the pings, a line a hop for each path, and the services. Text that is too wide goes
  /// on in the next line.
  public func lines(_ report: HostReport) -> [String] {
    guard width > 0 else { return [] }
    let head = wrapped(ConnvitalsText.head(report.target), by: 0).map { emphasised($0, .strong) }
    return head + (report.ping.map(ping) ?? []) + (report.trace.map(trace) ?? [])
      + (report.scan.map(scan) ?? [])
  }

  private enum Emphasis: String {
    case none = ""
    case strong = "1"
    case bad = "31"
    case doubtful = "33"
  }

  private static let labelWidth = 9

  private func ping(_ burst: PingBurst) -> [String] {
    let apart = [(burst.duplicates, "duplicate"), (burst.late, "late")].filter { $0.0 > 0 }
    let counts =
      ["\(burst.loss.fixed(1)) % loss: \(burst.roundTrips.count) of \(burst.sent) received"]
      + apart.map { count, word in
        "\(count) \(word)" + (word == "duplicate" && count > 1 ? "s" : "")
      }
    let emphasis: Emphasis = burst.roundTrips.isEmpty ? .bad : burst.loss > 0 ? .doubtful : .none
    var lines = block("ping", counts.joined(separator: ", "), emphasis)
    if let times = burst.statistics {
      let words = [
        "min \(times.minimum.fixed(3))", "avg \(times.mean.fixed(3))", "max \(times.maximum.fixed(3))",
        "std \(times.deviation.fixed(3)) ms",
      ]
      lines += block("", words.joined(separator: ", "))
    }
    if let error = burst.error { lines += block("", error.description, emphasis) }
    return lines
  }

  private func trace(_ trace: RouteTrace) -> [String] {
    let paths = [trace] + trace.others
    let flows = paths.reduce(0) { $0 + $1.flows }
    guard flows > 1 else { return path(trace, label: "trace") }
    return paths.enumerated().flatMap { index, each in
      let taken =
        paths.count == 1
        ? "1 path of all \(flows) flows"
        : "path \(index + 1) of \(paths.count): \(each.flows) of \(flows) flows"
      return block(index == 0 ? "trace" : "", taken) + path(each, label: "")
    }
  }

  /// A line a hop, the first one behind `label`, and how the trace ended.
  private func path(_ trace: RouteTrace, label first: String) -> [String] {
    let addresses = trace.hops.map { $0.address?.description ?? "*" }
    let times = trace.hops.map { $0.roundTrip.map { $0.inMilliseconds.fixed(3) + " ms" } ?? "" }
    let addressWidth = addresses.map(\.utf8.count).max() ?? 0
    let timeWidth = times.map(\.utf8.count).max() ?? 0
    let numberWidth = String(trace.hops.count).utf8.count
    var lines: [String] = []
    for index in trace.hops.indices {
      let gap = String(repeating: " ", count: addressWidth - addresses[index].utf8.count)
      let cells = [
        String(index + 1).rightAligned(in: numberWidth), addresses[index] + gap,
        times[index].rightAligned(in: timeWidth),
      ]
      let text = cells.joined(separator: "  ")
      // One line a hop, whatever the width.
      lines.append((label(index == 0 ? first : "") + text).withoutTrailingSpaces.fitted(to: width))
    }
    let name = lines.isEmpty ? first : ""
    switch trace.ending {
    case .reached: return lines
    case .stopped(let error): return lines + block(name, "stopped: \(error)", .bad)
    case .exhausted:
      return lines + block(name, "not reached in \(trace.hops.count) hops", .doubtful)
    }
  }

  private func scan(_ scan: ServiceScan) -> [String] {
    let mysql =
      switch scan.mysql {
      case .answered(let database): "\(database.version), \(database.roundTrip.inMilliseconds.fixed(3)) ms"
      case .missing(let reason): "none: \(reason)"
      case .unknown(let reason): reason
      }
    return web("http", scan.http) + web("https", scan.https) + block("mysql", mysql)
  }

  private func web(_ name: String, _ answer: ServiceScan.Answer<ServiceScan.Web>) -> [String] {
    switch answer {
    case .missing(let reason): return block(name, "none: \(reason)")
    case .unknown(let reason): return block(name, reason, .doubtful)
    case .answered(let web):
      let time = web.roundTrip.inMilliseconds.fixed(3)
      let lines = block(name, "\(web.status), \(web.shownServer), \(time) ms")
      return lines + (web.certificateProblem.map { block("", "certificate: \($0)", .doubtful) } ?? [])
    }
  }

  /// `text` behind a label, or below one that is empty, in as many lines as it needs.
  private func block(_ name: String, _ text: String, _ emphasis: Emphasis = .none) -> [String] {
    let indent = width > Self.labelWidth * 2 ? Self.labelWidth : 0
    var lines = wrapped(text.escapingControlCharacters, by: indent)
    if indent == 0, !name.isEmpty {
      return ([name.fitted(to: width)] + lines).map { emphasised($0, emphasis) }
    }
    for index in lines.indices { lines[index] = label(index == 0 ? name : "") + lines[index] }
    return lines.map { emphasised($0, emphasis) }
  }

  private func label(_ name: String) -> String {
    guard width > Self.labelWidth * 2 else { return "" }
    return "  " + name + String(repeating: " ", count: Self.labelWidth - 2 - name.utf8.count)
  }

  private func wrapped(_ text: String, by indent: Int) -> [String] {
    text.wrappedWords(to: width - indent)
  }

  /// Wraps `line` into an ECMA-48 SGR sequence, if colours are wanted.
  private func emphasised(_ line: String, _ emphasis: Emphasis) -> String {
    color && emphasis != .none ? "\u{1b}[\(emphasis.rawValue)m\(line)\u{1b}[0m" : line
  }
}

extension String {
  fileprivate var withoutTrailingSpaces: String {
    String(self[..<(lastIndex { $0 != " " }.map(index(after:)) ?? startIndex)])
  }
}
