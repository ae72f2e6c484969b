/// One direction of a row: what its sender moved.
///
/// A key whose column is absent, or is NaN or infinite, is nil or left out; JSON knows no such numbers.
struct FlowRecord: Hashable {
  var kind: LogFile.Kind
  /// In seconds.
  var duration: LogNumber?
  var bits: Int64
  var packets: Int64
  var bitsPerSecond: LogNumber?
  var packetsPerSecond: LogNumber?
  /// The keys of TCP alone, in the order of `TCPKey`.
  var tcp: [LogNumber?] = []
  var source: String
  var sourcePort: Int64
  var destination: String
  var destinationPort: Int64
  /// In seconds since 1970.
  var start: LogNumber?
  /// In seconds since 1970.
  var end: LogNumber?
}

/// The keys of a TCP connection's direction in the order in which they are written, and where each comes from.
enum TCPKey: String, CaseIterable {
  case bytesResent = "tcp_rexmit_bytes"
  case packetsResent = "tcp_rexmit_pkts"
  /// From 0.6.8 on, as the next.
  case resentRatio = "tcp_rexmit_rate"
  case synCount = "tcp_syn_cnt"
  case rttAverage = "tcp_rtt_avg"
  case rttLeast = "tcp_rtt_min"
  case rttMost = "tcp_rtt_max"
  case rttDeviation = "tcp_rtt_std"
  case packetsTimedOut = "tcp_pkts_rto"
  case packetsFastResent = "tcp_pkts_fs"
  case packetsReordered = "tcp_pkts_reor"
  case packetsDuplicate = "tcp_pkts_dup"
  case packetsUnknown = "tcp_pkts_unk"
  case packetsFlowControl = "tcp_pkts_fc"
  case packetsNeedlessTimedOut = "tcp_pkts_unrto"
  case packetsNeedlessFast = "tcp_pkts_unfs"
  case congestionLeast = "tcp_cwin_min"
  case congestionMost = "tcp_cwin_max"
  case outOfSequence = "tcp_out_seq_pkts"
  case windowScale = "tcp_window_scale"
  case segmentAgreed = "tcp_mss"
  case segmentMost = "tcp_max_seg_size"
  case segmentLeast = "tcp_min_seg_size"
  case congestionMostAgain = "tcp_win_max"
  case congestionLeastAgain = "tcp_win_min"
  case congestionInitial = "tcp_initial_cwin"
  case sackCount = "tcp_sack_cnt"
  /// With `--extended`: the receiver's window, which the original's `tcp_win_*` are not.
  case windowMost = "tcp_rwnd_max"
  case windowLeast = "tcp_rwnd_min"

  /// How a value comes from a row.
  enum Origin {
    /// The sender's column.
    case own(LogColumn.Side)
    /// The smaller one of both sides' columns.
    case smaller(LogColumn.Side)
    /// The larger one of both sides' columns.
    case larger(LogColumn.Side)
    /// Retransmitted packets of all with data.
    case resentRatio
  }

  /// Where the value comes from.
  var origin: Origin {
    switch self {
    case .bytesResent: .own(.bytesResent)
    case .packetsResent: .own(.packetsResent)
    case .resentRatio: .resentRatio
    case .synCount: .own(.synCount)
    case .rttAverage: .own(.rttAverage)
    case .rttLeast: .own(.rttLeast)
    case .rttMost: .own(.rttMost)
    case .rttDeviation: .own(.rttDeviation)
    case .packetsTimedOut: .own(.packetsTimedOut)
    case .packetsFastResent: .own(.packetsFastResent)
    case .packetsReordered: .own(.packetsReordered)
    case .packetsDuplicate: .own(.packetsDuplicate)
    case .packetsUnknown: .own(.packetsUnknown)
    case .packetsFlowControl: .own(.packetsFlowControl)
    case .packetsNeedlessTimedOut: .own(.packetsNeedlessTimedOut)
    case .packetsNeedlessFast: .own(.packetsNeedlessFast)
    // The original repeats the congestion window under the name of the receiver's window; its readers know it so.
    case .congestionLeast, .congestionLeastAgain: .own(.congestionLeast)
    case .congestionMost, .congestionMostAgain: .own(.congestionMost)
    case .outOfSequence: .own(.outOfSequence)
    case .windowScale: .own(.windowScale)
    case .segmentAgreed: .smaller(.segmentAgreed)
    case .segmentMost: .own(.segmentMost)
    case .segmentLeast: .own(.segmentLeast)
    case .congestionInitial: .own(.congestionInitial)
    case .sackCount: .larger(.sackCount)
    case .windowMost: .own(.windowMost)
    case .windowLeast: .own(.windowLeast)
    }
  }

  /// True for a key that is written with these options.
  func isWritten(_ options: RowOptions) -> Bool {
    switch self {
    case .resentRatio, .synCount: options.format == .version068
    case .windowMost, .windowLeast: options.isExtended
    default: true
    }
  }
}

/// What shapes the objects that are made of rows.
public struct RowOptions: Sendable, Hashable {
  /// A version of tstat_transport and its set of keys.
  public enum WireFormat: String, Sendable, Hashable, CaseIterable {
    case version068 = "0.6.8"
    case version065 = "0.6.5"
  }

  /// Which keys are written.
  public var format: WireFormat
  /// Directions that moved less are left out: megabytes of 1,000,000 bytes.
  public var threshold: Int64
  /// `sensor_id`.
  public var sensor: String
  /// `instance_id`: nil is the number 0.
  public var instance: String?
  /// The durations of UDP, which tstat writes in seconds, are taken for milliseconds as the original does.
  public var hasMillisecondsOfUDP = false
  /// Directions of UDP without a packet are written too.
  public var hasEmptyDirections = false
  /// The receiver's windows are written too.
  public var isExtended = false

  /// Makes options.
  public init(
    format: WireFormat = .version068, threshold: Int64 = 1000, sensor: String, instance: String? = nil
  ) {
    self.format = format
    self.threshold = threshold
    self.sensor = sensor
    self.instance = instance
  }

  /// The smallest count of bits that is not left out.
  var leastBits: Int64 {
    let bits = threshold.multipliedReportingOverflow(by: 8_000_000)
    return bits.overflow ? .max : bits.partialValue
  }

  /// Grows when other rows are used than before: slices are cut at other places then.
  private static let rules = 1

  /// A text that differs where the objects may differ.
  public var fingerprint: String {
    "rules=\(Self.rules) format=\(format.rawValue) threshold=\(threshold) sensor=\(sensor) instance=\(instance ?? "(none)")"
      + " udp-milliseconds=\(hasMillisecondsOfUDP) empty=\(hasEmptyDirections) extended=\(isExtended)"
  }
}
