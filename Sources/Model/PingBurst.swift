/// What a burst of ICMP echo requests (RFC 792, RFC 4443) to one address found.
public struct PingBurst: Sendable, Hashable {
  /// How many requests were sent, or should have been: one that the kernel refused counts as lost.
  public var sent: Int
  /// The round-trip times of the requests that were answered in time, in the order in which they were sent.
  public var roundTrips: [Duration]
  /// Replies to requests that were answered already.
  public var duplicates: Int
  /// Replies that came after their time limit since the last burst; their requests are lost.
  public var late: Int
  /// What the path said instead of a reply, the last time; nil when it said nothing.
  public var error: PathError?

  /// Makes the result of a burst.
  public init(
    sent: Int, roundTrips: [Duration], duplicates: Int = 0, late: Int = 0, error: PathError? = nil
  ) {
    self.sent = sent
    self.roundTrips = roundTrips
    self.duplicates = duplicates
    self.late = late
    self.error = error
  }

  /// The requests without a reply, in percent of those sent; all, where none was sent.
  public var loss: Double {
    sent > 0 ? Double(max(0, sent - roundTrips.count)) * 100 / Double(sent) : 100
  }

  /// True where no request left this host: nothing is known of the path.
  public var isUnknown: Bool {
    roundTrips.isEmpty && (error?.reason == .notPermitted || error?.reason == .notSent)
  }

  /// The round-trip times' statistics in milliseconds; nil when nothing was received.
  public var statistics: Statistics? { Statistics(roundTrips) }

  /// The least, the mean and the greatest round-trip time and their sample deviation (n - 1; 0 for one sample), in ms.
  public struct Statistics: Sendable, Hashable {
    /// The least.
    public var minimum: Double
    /// The arithmetic mean.
    public var mean: Double
    /// The greatest.
    public var maximum: Double
    /// The sample deviation.
    public var deviation: Double

    /// The statistics of `times`; nil when there are none.
    init?(_ times: [Duration]) {
      let values = times.map(\.inMilliseconds)
      guard let least = values.min(), let greatest = values.max() else { return nil }
      let mean = values.reduce(0, +) / Double(values.count)
      let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
      minimum = least
      maximum = greatest
      self.mean = mean
      deviation = values.count > 1 ? (squares / Double(values.count - 1)).squareRoot() : 0
    }
  }
}

/// Why a packet did not reach its destination, as a router, the destination or this host's kernel says.
public struct PathError: Sendable, Hashable {
  /// What is wrong (RFC 792, RFC 1812, RFC 4443).
  public enum Reason: Sendable, Hashable {
    /// There is no route to the network.
    case networkUnreachable
    /// The host does not answer in its network.
    case hostUnreachable
    /// A filter refuses the packet.
    case prohibited
    /// This host does not let this user send it: nothing is known of the path.
    case notPermitted
    /// This host lacks memory or descriptors to send it.
    case notSent
    /// Nobody takes the protocol, or the port.
    case portUnreachable
    /// The packet must be smaller: the greatest length that passes, zero where it is not said.
    case tooBig(mtu: UInt32)
    /// The packet went through too many hops.
    case timeExceeded
    /// Another message, by type and code.
    case other(type: UInt8, code: UInt8)
  }

  /// What is wrong.
  public var reason: Reason
  /// Who says so; nil for this host.
  public var reporter: IPAddress?

  /// Makes an error.
  public init(_ reason: Reason, reporter: IPAddress? = nil) {
    self.reason = reason
    self.reporter = reporter
  }
}

extension PathError: CustomStringConvertible {
  /// `host unreachable (10.0.0.1 says)`.
  public var description: String {
    let what =
      switch reason {
      case .networkUnreachable: "network unreachable"
      case .hostUnreachable: "host unreachable"
      case .prohibited: "prohibited by a filter"
      case .notPermitted: "this user may not send it"
      case .notSent: "not sent, this host lacks memory or descriptors"
      case .portUnreachable: "port unreachable"
      case .tooBig(0): "packet too big"
      case .tooBig(let mtu): "packet too big, at most \(mtu) bytes pass"
      case .timeExceeded: "too many hops"
      case .other(let type, let code): "ICMP type \(type) code \(code)"
      }
    return reporter.map { "\(what) (\($0) says)" } ?? what
  }
}
