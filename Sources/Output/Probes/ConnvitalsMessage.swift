public import Model

/// A line that connvitals and connmonitor write to standard error, to the byte.
public enum ConnvitalsMessage: Sendable, Hashable {
  /// An error: the name of its type in the original, such as `str`, `Exception` or `OSError`, and its text.
  case error(type: String, String)
  /// A warning.
  case warning(String)

  /// `EE: type: text -⇥ ctime` or `WW: text -⇥ ctime`, without a line feed; with `color` as on a terminal.
  public func line(at time: Timestamp, color: Bool) -> String {
    let (words, rgb) =
      switch self {
      case .error(let type, let text): ("EE: \(type): \(text.escapingControlCharacters)", "255;0;0")
      case .warning(let text): ("WW: \(text.escapingControlCharacters)", "238;216;78")
      }
    let line = "\(words) -\t \(time.ctime)"
    // ISO 8613-6's direct colour.
    return color ? "\u{1b}[38;2;\(rgb)m\(line) \u{1b}[m" : line
  }

  /// What is said of each service of a host, by its port: why it is missing; nil where it has answered. Nothing is where the
  /// host that asks lacks something.
  public static func services(of scan: ServiceScan, at address: IPAddress) -> [(
    port: UInt16, problem: String?
  )] {
    func problem(_ answer: ServiceScan.Answer<some Sendable & Hashable>, _ port: UInt16) -> (UInt16, String?)
    {
      guard case .missing(let why) = answer else { return (port, nil) }
      return (port, "Could not connect to \(address):\(port) - \(why)")
    }
    if scan.isPartial { return [] }
    return [problem(scan.http, 80), problem(scan.https, 443), problem(scan.mysql, 3306)]
  }
}
