/// One direction of a row: what its sender moved.
///
/// A key whose column is absent, or is NaN or infinite, is nil or left out; JSON knows no such numbers.
struct FlowRecord: Hashable {
  var kind: LogProtocol
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
  case tcp_rexmit_bytes, tcp_rexmit_pkts
  /// From 0.6.8 on, as the next.
  case tcp_rexmit_rate
  case tcp_syn_cnt
  case tcp_rtt_avg, tcp_rtt_min, tcp_rtt_max, tcp_rtt_std
  case tcp_pkts_rto, tcp_pkts_fs, tcp_pkts_reor, tcp_pkts_dup, tcp_pkts_unk, tcp_pkts_fc, tcp_pkts_unrto
  case tcp_pkts_unfs
  case tcp_cwin_min, tcp_cwin_max, tcp_out_seq_pkts, tcp_window_scale
  case tcp_mss, tcp_max_seg_size, tcp_min_seg_size
  case tcp_win_max, tcp_win_min, tcp_initial_cwin, tcp_sack_cnt
  /// With `--extended`: the receiver's window, which the original's `tcp_win_*` are not.
  case tcp_rwnd_max, tcp_rwnd_min

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
    case .tcp_rexmit_bytes: .own(.bytesResent)
    case .tcp_rexmit_pkts: .own(.packetsResent)
    case .tcp_rexmit_rate: .resentRatio
    case .tcp_syn_cnt: .own(.synCount)
    case .tcp_rtt_avg: .own(.rttAverage)
    case .tcp_rtt_min: .own(.rttLeast)
    case .tcp_rtt_max: .own(.rttMost)
    case .tcp_rtt_std: .own(.rttDeviation)
    case .tcp_pkts_rto: .own(.packetsTimedOut)
    case .tcp_pkts_fs: .own(.packetsFastResent)
    case .tcp_pkts_reor: .own(.packetsReordered)
    case .tcp_pkts_dup: .own(.packetsDuplicate)
    case .tcp_pkts_unk: .own(.packetsUnknown)
    case .tcp_pkts_fc: .own(.packetsFlowControl)
    case .tcp_pkts_unrto: .own(.packetsNeedlessTimedOut)
    case .tcp_pkts_unfs: .own(.packetsNeedlessFast)
    // The original repeats the congestion window under the name of the receiver's window; its readers know it so.
    case .tcp_cwin_min, .tcp_win_min: .own(.congestionLeast)
    case .tcp_cwin_max, .tcp_win_max: .own(.congestionMost)
    case .tcp_out_seq_pkts: .own(.outOfSequence)
    case .tcp_window_scale: .own(.windowScale)
    case .tcp_mss: .smaller(.segmentAgreed)
    case .tcp_max_seg_size: .own(.segmentMost)
    case .tcp_min_seg_size: .own(.segmentLeast)
    case .tcp_initial_cwin: .own(.congestionInitial)
    case .tcp_sack_cnt: .larger(.sackCount)
    case .tcp_rwnd_max: .own(.windowMost)
    case .tcp_rwnd_min: .own(.windowLeast)
    }
  }

  /// True for a key that is written with these options.
  func isWritten(_ options: RowOptions) -> Bool {
    switch self {
    case .tcp_rexmit_rate, .tcp_syn_cnt: options.format == .v0_6_8
    case .tcp_rwnd_max, .tcp_rwnd_min: options.isExtended
    default: true
    }
  }
}

/// What shapes the objects that are made of rows.
public struct RowOptions: Sendable, Hashable {
  /// A version of tstat_transport and its set of keys.
  public enum WireFormat: String, Sendable, Hashable, CaseIterable {
    case v0_6_8 = "0.6.8"
    case v0_6_5 = "0.6.5"
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
    format: WireFormat = .v0_6_8, threshold: Int64 = 1000, sensor: String, instance: String? = nil
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

  /// A text that differs where the objects may differ.
  public var fingerprint: String {
    "format=\(format.rawValue) threshold=\(threshold) sensor=\(sensor) instance=\(instance ?? "(none)")"
      + " udp-milliseconds=\(hasMillisecondsOfUDP) empty=\(hasEmptyDirections) extended=\(isExtended)"
  }
}
