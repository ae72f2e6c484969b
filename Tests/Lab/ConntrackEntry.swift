/// A line of `conntrack -L -o extended`, read without the code under test.
public struct ConntrackEntry: Sendable, Hashable {
  /// One direction of it.
  public struct Direction: Sendable, Hashable {
    /// Where its packets come from.
    public var source = ""
    /// Where they go.
    public var destination = ""
    /// The port they come from, or the identifier of ICMP; 0 where there is none.
    public var sourcePort = 0
    /// The port they go to; 0 where there is none.
    public var destinationPort = 0
    /// How many.
    public var packets: UInt64?
    /// Their bytes at layer 3.
    public var bytes: UInt64?
  }

  /// `tcp`, `udp`, `icmp`, `unknown`, ...
  public var transport: String
  /// The protocol's number.
  public var number: Int
  /// The direction of the first packet.
  public var original = Direction()
  /// The answers.
  public var reply = Direction()

  /// Reads a line; state, timeout and flags are left out, since they change by themselves.
  public init(_ line: String) throws {
    let words = line.split(separator: " ")
    guard words.count > 4, let number = Int(words[3]) else { throw LabError.malformed(line) }
    transport = String(words[2])
    self.number = number
    var directions = [Direction]()
    for word in words.dropFirst(4) {
      let pair = word.split(separator: "=", maxSplits: 1)
      guard pair.count == 2 else { continue }
      if pair[0] == "src" { directions.append(Direction(source: String(pair[1]))) }
      guard !directions.isEmpty else { continue }
      directions[directions.count - 1].set(pair[0], to: String(pair[1]))
    }
    guard directions.count == 2 else { throw LabError.malformed(line) }
    (original, reply) = (directions[0], directions[1])
  }

  /// All its bytes.
  public var bytes: UInt64 { (original.bytes ?? 0) + (reply.bytes ?? 0) }

  /// True when one of its ends is this port.
  public func concerns(port: Int) -> Bool {
    original.sourcePort == port || original.destinationPort == port || reply.sourcePort == port
      || reply.destinationPort == port
  }
}

extension ConntrackEntry.Direction {
  fileprivate mutating func set(_ key: Substring, to value: String) {
    switch key {
    case "dst": destination = value
    case "sport", "id": sourcePort = Int(value) ?? 0
    case "dport": destinationPort = Int(value) ?? 0
    case "packets": packets = UInt64(value)
    case "bytes": bytes = UInt64(value)
    default: break
    }
  }
}
