/// A column that is read of a log: of a connection as a whole, or of its client's and its server's side.
enum LogColumn {
  /// Of the connection.
  enum Shared: Int, CaseIterable {
    case durat, first, last, firstAbsolute
  }

  /// Of one side: `c_` or `s_` stands before the name.
  enum Side: Int, CaseIterable {
    case address, port
    case bytesUnique, packetsData, bytesAll, packetsAll
    case bytesResent, packetsResent, outOfSequence, synCount
    case rttAverage, rttLeast, rttMost, rttDeviation
    case packetsTimedOut, packetsFastResent, packetsReordered, packetsDuplicate, packetsUnknown
    case packetsFlowControl, packetsNeedlessTimedOut, packetsNeedlessFast
    case congestionLeast, congestionMost, congestionInitial
    case windowMost, windowLeast, windowScale
    case segmentAgreed, segmentMost, segmentLeast, sackCount
    // UDP.
    case durat, firstAbsolute
  }

  static func name(_ column: Shared) -> String {
    switch column {
    case .durat: "durat"
    case .first: "first"
    case .last: "last"
    case .firstAbsolute: "first_abs"
    }
  }

  static func name(_ column: Side) -> String {
    switch column {
    case .address: "ip"
    case .port: "port"
    case .bytesUnique: "bytes_uniq"
    case .packetsData: "pkts_data"
    case .bytesAll: "bytes_all"
    case .packetsAll: "pkts_all"
    case .bytesResent: "bytes_retx"
    case .packetsResent: "pkts_retx"
    case .outOfSequence: "pkts_ooo"
    case .synCount: "syn_cnt"
    case .rttAverage: "rtt_avg"
    case .rttLeast: "rtt_min"
    case .rttMost: "rtt_max"
    case .rttDeviation: "rtt_std"
    case .packetsTimedOut: "pkts_rto"
    case .packetsFastResent: "pkts_fs"
    case .packetsReordered: "pkts_reor"
    case .packetsDuplicate: "pkts_dup"
    case .packetsUnknown: "pkts_unk"
    case .packetsFlowControl: "pkts_fc"
    case .packetsNeedlessTimedOut: "pkts_unrto"
    case .packetsNeedlessFast: "pkts_unfs"
    case .congestionLeast: "cwin_min"
    case .congestionMost: "cwin_max"
    case .congestionInitial: "cwin_ini"
    case .windowMost: "win_max"
    case .windowLeast: "win_min"
    case .windowScale: "win_scl"
    case .segmentAgreed: "mss"
    case .segmentMost: "mss_max"
    case .segmentLeast: "mss_min"
    case .sackCount: "sack_cnt"
    case .durat: "durat"
    case .firstAbsolute: "first_abs"
    }
  }
}

/// Where the columns of a log are: a line that begins with `#`.
///
/// `#15#c_ip:1 c_port:2 ...`: the name is what stands after the last `#` and before `:`. Of two columns with one name the first
/// counts: with tstat's packet statistics `c_pkts_data` stands twice. The columns differ with tstat's version and with
/// runtime.conf, also within a file.
final class LogHeader: Sendable {
  /// How many fields a row has; a row without a header may have more.
  let fieldCount: Int
  /// True for the columns of tstat 1.x, which wrote no header.
  let isAssumed: Bool
  /// The columns that a row cannot do without and that are not there.
  let missing: [String]
  /// True for a line that names no column that is known: it is no header.
  let isForeign: Bool

  private let shared: [Int16]
  /// Those of the client, then those of the server.
  private let sides: [Int16]

  /// Reads a header of a log of `kind`.
  convenience init(_ line: Span<UInt8>, of kind: LogFile.Kind) {
    var names: [String] = []
    var name: [UInt8] = []
    var isNameOver = false
    for index in line.indices {
      switch line[index] {
      case UInt8(ascii: " "), UInt8(ascii: "\t"):
        names.append(String(decoding: name, as: UTF8.self))
        name = []
        isNameOver = false
      case UInt8(ascii: "#"):
        name = []
        isNameOver = false
      case UInt8(ascii: ":"): isNameOver = true
      case let byte where !isNameOver: name.append(byte)
      default: break
      }
    }
    names.append(String(decoding: name, as: UTF8.self))
    self.init(names, of: kind, isAssumed: false)
  }

  /// The columns of a log of tstat 1.x, which has no header.
  convenience init(assumedFor kind: LogFile.Kind) {
    self.init(kind == .tcp ? Self.oldTCP : Self.oldUDP, of: kind, isAssumed: true)
  }

  private init(_ names: [String], of kind: LogFile.Kind, isAssumed: Bool) {
    fieldCount = names.count
    self.isAssumed = isAssumed
    var places: [String: Int16] = [:]
    for (index, name) in names.enumerated() where index < Int(Int16.max) && places[name] == nil {
      places[name] = Int16(index)
    }
    shared = LogColumn.Shared.allCases.map { places[LogColumn.name($0)] ?? -1 }
    sides = ["c_", "s_"].flatMap { prefix in
      LogColumn.Side.allCases.map { places[prefix + LogColumn.name($0)] ?? -1 }
    }
    let sidesNeeded: [LogColumn.Side] =
      switch kind {
      case .tcp: [.address, .port, .bytesUnique, .packetsData]
      case .udp: [.address, .port, .bytesAll, .packetsAll, .durat, .firstAbsolute]
      }
    var needed = sidesNeeded.flatMap { ["c_" + LogColumn.name($0), "s_" + LogColumn.name($0)] }
    if kind == .tcp { needed += ["durat", "first", "last"] }
    missing = needed.filter { places[$0] == nil }
    isForeign = missing.count == needed.count
  }

  /// The place of a column of the connection; nil where there is none.
  func place(_ column: LogColumn.Shared) -> Int? {
    let place = shared[column.rawValue]
    return place < 0 ? nil : Int(place)
  }

  /// The place of a column of one side; nil where there is none.
  func place(_ column: LogColumn.Side, ofServer: Bool) -> Int? {
    let place = sides[(ofServer ? Self.sideCount : 0) + column.rawValue]
    return place < 0 ? nil : Int(place)
  }

  private static let sideCount = LogColumn.Side.allCases.count

  /// The columns of tstat 2.4 up to `first_abs`: 1.x had the same (log_tcp_complete_descr.txt of 1.01).
  private static let oldTCP: [String] = {
    let side =
      "ip port pkts_all rst_cnt ack_cnt ack_cnt_p bytes_uniq pkts_data bytes_all pkts_retx bytes_retx pkts_ooo syn_cnt "
      + "fin_cnt f1323_opt tm_opt win_scl sack_opt sack_cnt mss mss_max mss_min win_max win_min win_0 cwin_max "
      + "cwin_min cwin_ini rtt_avg rtt_min rtt_max rtt_std rtt_cnt ttl_min ttl_max pkts_rto pkts_fs pkts_reor "
      + "pkts_dup pkts_unk pkts_fc pkts_unrto pkts_unfs syn_retx"
    let shared = "durat first last c_first s_first c_last s_last c_first_ack s_first_ack first_abs"
    return sides(side) + shared.split(separator: " ").map(String.init)
  }()

  private static let oldUDP = sides("ip port first_abs durat bytes_all pkts_all isint type")

  private static func sides(_ names: String) -> [String] {
    let words = names.split(separator: " ")
    return words.map { "c_\($0)" } + words.map { "s_\($0)" }
  }
}
