/// A group of parsers of what the kernel, and through it a stranger, or another process of ours writes.
enum Target: String, CaseIterable {
  /// Datagrams of ctnetlink.
  case conntrack
  /// Datagrams of sock_diag, answers to questions and events.
  case sockets
  /// Datagrams of rtnetlink about interfaces, and of sock_diag about packet sockets.
  case interfaces
  /// Datagrams of the proc connector.
  case connector
  /// Files and links of /proc.
  case proc
  /// The splitting of a file into lines.
  case lines
  /// Records of the BPF program.
  case witness
  /// The ring in which they lie.
  case ring
  /// Messages between the hub and a sensor.
  case channel
  /// Answers to probes, and connmonitor's file.
  case probes
  /// Logs of tstat.
  case tstat

  /// Gives `input` to the parsers and throws the law that does not hold for what came out.
  func check(_ input: [UInt8]) throws(Violation) {
    switch self {
    case .conntrack: try Self.conntrack(input)
    case .sockets: try Self.sockets(input)
    case .interfaces: try Self.interfaces(input)
    case .connector: try Self.connector(input)
    case .proc: try Self.proc(input)
    case .lines: try Self.lines(input)
    case .witness: try Self.witness(input)
    case .ring: try Self.ring(input)
    case .channel: try Self.channel(input)
    case .probes: try Self.probes(input)
    case .tstat: try Self.tstat(input)
    }
  }
}

/// A law that does not hold, as a sentence.
struct Violation: Error, CustomStringConvertible {
  var description: String
}

/// Throws `law` where it does not hold.
func law(_ law: @autoclosure () -> String, _ holds: Bool) throws(Violation) {
  if !holds { throw Violation(description: law()) }
}
