public import Model

/// A record of connmonitor 4.1.3, to the byte; only that text of strangers is escaped.
///
/// As text a line with the name, and the address where it is another, a line with the time if it is wanted, and the
/// data as connvitals has it. As JSON one line; the original has spaces behind its commas where it has no time.
public struct ConnmonitorRecord: Sendable, Hashable, CustomStringConvertible {
  /// The record in UTF-8, without a line feed at its end.
  public let bytes: [UInt8]

  /// The record as text.
  public var description: String { String(decoding: bytes, as: UTF8.self) }

  /// Makes the record of `result`; nil for an attempt to connect, which the original did not have.
  public init?(_ result: ProbeResult, usesJSON: Bool, hasTimestamp: Bool) {
    let bytes =
      usesJSON ? Self.json(result, hasTimestamp) : Self.text(result, hasTimestamp).map { Array($0.utf8) }
    guard let bytes else { return nil }
    self.bytes = bytes
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

  private static func json(_ result: ProbeResult, _ hasTimestamp: Bool) -> [UInt8]? {
    let separator = hasTimestamp ? "," : ", "
    var bytes: [UInt8] = []
    bytes.reserveCapacity(256)
    func append(_ text: String) { bytes.append(contentsOf: text.utf8) }
    append("{")
    append(ConnvitalsJSON.address(result.target))
    append(separator)
    ConnvitalsJSON.appendName(result.target, to: &bytes)
    append(separator)
    if hasTimestamp {
      append(#""timestamp":"#)
      result.time.milliseconds.appendFixed(6, to: &bytes)
      append(separator)
    }
    switch result.finding {
    case .ping(let burst):
      append(#""ping":"#)
      ConnvitalsJSON.append(burst, to: &bytes)
    case .trace(let trace): append(#""trace":"# + ConnvitalsJSON.trace(trace))
    case .scan(let scan): append(#""scan":"# + ConnvitalsJSON.scan(scan))
    case .connection: return nil
    }
    append("}")
    return bytes
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
