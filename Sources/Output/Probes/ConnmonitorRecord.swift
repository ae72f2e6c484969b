public import Model

/// A record of connmonitor 4.1.3, to the byte; only that text of strangers is escaped.
///
/// As text a line with the name, and the address where it is another, a line with the time if it is wanted, and the
/// data as connvitals has it. As JSON one line; the original has spaces behind its commas where it has no time.
public struct ConnmonitorRecord: Sendable, Hashable, CustomStringConvertible {
  /// The record, without a line feed at its end.
  public let description: String

  /// Makes the record of `result`; nil for an attempt to connect, which the original did not have.
  public init?(_ result: ProbeResult, usesJSON: Bool, hasTimestamp: Bool) {
    let description = usesJSON ? Self.json(result, hasTimestamp) : Self.text(result, hasTimestamp)
    guard let description else { return nil }
    self.description = description
  }

  private static func text(_ result: ProbeResult, _ hasTimestamp: Bool) -> String? {
    let data: String
    switch result.finding {
    case .ping(let burst): data = ConnvitalsText.ping(burst)
    case .trace(let trace): data = ConnvitalsText.trace(trace)
    case .scan(let scan): data = ConnvitalsText.scan(scan)
    case .connection: return nil
    }
    let name = result.target.name.escapingControlCharacters
    let address = result.target.address.description
    let head = result.target.name == address ? name : "\(name) \(address)"
    return ([head] + (hasTimestamp ? [result.time.ctime] : []) + [data]).joined(separator: "\n")
  }

  private static func json(_ result: ProbeResult, _ hasTimestamp: Bool) -> String? {
    let data: String
    switch result.finding {
    case .ping(let burst): data = #""ping":"# + ConnvitalsJSON.ping(burst)
    case .trace(let trace): data = #""trace":"# + ConnvitalsJSON.trace(trace)
    case .scan(let scan): data = #""scan":"# + ConnvitalsJSON.scan(scan)
    case .connection: return nil
    }
    let separator = hasTimestamp ? "," : ", "
    var text = "{"
    text.reserveCapacity(256)
    text += ConnvitalsJSON.address(result.target)
    text += separator
    text += ConnvitalsJSON.name(result.target)
    text += separator
    if hasTimestamp {
      text += #""timestamp":"#
      text += result.time.milliseconds.fixed(6)
      text += separator
    }
    text += data
    text += "}"
    return text
  }
}

extension Timestamp {
  /// Milliseconds since 1970-01-01T00:00:00Z, rounded on the way as the original's clock does: to about 0.5 µs.
  fileprivate var milliseconds: Double {
    // 64 bits have room for 285 years, and the conversion of 128 bits takes fifty times as long.
    guard seconds.magnitude < 9_000_000_000 else { return Double(seconds) * 1000 }
    return Double(seconds * 1_000_000_000 + Int64(nanoseconds)) / 1e9 * 1000
  }
}
