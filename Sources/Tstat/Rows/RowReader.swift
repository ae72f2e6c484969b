/// Lines of one log into the directions that they tell of.
struct RowReader {
  /// What a line is.
  enum Outcome: Equatable {
    /// A header, or nothing.
    case nothing
    /// A row; what of it is to be sent.
    case records([FlowRecord])
    /// A line that cannot be used, and why.
    case broken(String)
  }

  private let kind: LogFile.Kind
  private let options: RowOptions
  private let keys: [TCPKey]
  private let origins: [TCPKey.Origin]
  private let leastBits: Int64
  private var header: LogHeader?
  private var fields: [Range<Int>] = []

  /// The keys of TCP for which a header had no column.
  private(set) var absentKeys: Set<TCPKey> = []
  /// True after rows of a log without a header.
  private(set) var hasAssumedColumns = false

  /// Reads a log of `kind`.
  init(_ kind: LogFile.Kind, _ options: RowOptions) {
    self.kind = kind
    self.options = options
    keys = TCPKey.allCases.filter { $0.isWritten(options) }
    origins = keys.map(\.origin)
    leastBits = options.leastBits
  }

  /// Takes the next line, without its end: the bytes of `buffer` in `range`.
  mutating func read(_ buffer: [UInt8], _ range: Range<Int>) -> Outcome {
    var end = range.upperBound
    // Lines that went through other systems end with CR; some versions of tstat write a space at the end.
    while end > range.lowerBound, buffer[end - 1] <= UInt8(ascii: " ") { end -= 1 }
    let line = range.lowerBound..<end
    guard let first = line.first else { return .nothing }
    if buffer[first] == UInt8(ascii: "#") { return readHeader(buffer.span.extracting(line)) }
    let header = header ?? assumeHeader()
    guard header.missing.isEmpty else {
      return .broken("its header has no column \(header.missing.joined(separator: ", "))")
    }
    split(buffer.span, line)
    guard fields.count == header.fieldCount || header.isAssumed && fields.count > header.fieldCount else {
      let wanted =
        header.isAssumed
        ? "tstat 1.x has \(header.fieldCount) or more" : "its header has \(header.fieldCount)"
      return .broken("\(fields.count) fields where \(wanted)")
    }
    let row = LogRow(buffer: buffer, fields: fields, header: header)
    do throws(RowError) {
      return switch kind {
      case .tcp: .records(try records(ofTCP: row))
      case .udp: .records(try records(ofUDP: row))
      }
    } catch { return .broken(error.reason) }
  }

  private mutating func readHeader(_ line: Span<UInt8>) -> Outcome {
    let header = LogHeader(line, of: kind)
    guard !header.isForeign else { return .broken("it begins with # and names no known column") }
    self.header = header
    if kind == .tcp { absentKeys.formUnion(keys.filter { isAbsent($0, in: header) }) }
    guard !header.missing.isEmpty else { return .nothing }
    return .broken(
      "this header has no column \(header.missing.joined(separator: ", ")): its rows cannot be used")
  }

  private mutating func assumeHeader() -> LogHeader {
    let header = LogHeader(assumedFor: kind)
    self.header = header
    hasAssumedColumns = true
    return header
  }

  private func isAbsent(_ key: TCPKey, in header: LogHeader) -> Bool {
    let column: LogColumn.Side =
      switch key.origin {
      case .own(let column), .smaller(let column), .larger(let column): column
      case .resentRatio: .packetsResent
      }
    return header.place(column, ofServer: false) == nil || header.place(column, ofServer: true) == nil
  }

  /// Finds the fields, which one separator parts: two in a row have an empty field between them.
  private mutating func split(_ bytes: Span<UInt8>, _ line: Range<Int>) {
    fields.removeAll(keepingCapacity: true)
    var start = line.lowerBound
    for index in line where bytes[index] == UInt8(ascii: " ") || bytes[index] == UInt8(ascii: "\t") {
      fields.append(start..<index)
      start = index + 1
    }
    fields.append(start..<line.upperBound)
  }

  private func records(ofTCP row: LogRow) throws(RowError) -> [FlowRecord] {
    let client = try row.end(ofServer: false)
    let server = try row.end(ofServer: true)
    // Milliseconds.
    let durat = try row.duration(.durat)
    let (start, end) = try times(ofTCP: row, durat: durat)
    let seconds = durat.map { $0 / 1000 }
    var records: [FlowRecord] = []
    for isServer in [false, true] {
      let bits = try row.count(.bytesUnique, ofServer: isServer, times: 8)
      let packets = try row.count(.packetsData, ofServer: isServer)
      // Wrong types are reported also of what is too small to be sent.
      var tcp: [LogNumber?] = []
      tcp.reserveCapacity(keys.count)
      for origin in origins {
        tcp.append(try value(of: origin, in: row, ofServer: isServer, packets: packets))
      }
      guard bits >= leastBits else { continue }
      let (source, destination) = isServer ? (server, client) : (client, server)
      records.append(
        FlowRecord(
          kind: .tcp, duration: seconds.map { .decimal(LogNumber.rounded($0, decimals: 2)) }, bits: bits,
          packets: packets, bitsPerSecond: rate(bits, seconds), packetsPerSecond: rate(packets, seconds),
          tcp: tcp,
          source: source.address, sourcePort: source.port, destination: destination.address,
          destinationPort: destination.port, start: start, end: end))
    }
    return records
  }

  /// tstat 2.x writes `first` and `last` from the begin of the capture on, and `first_abs` since 1970.
  private func times(
    ofTCP row: LogRow, durat: Double?
  ) throws(RowError) -> (start: LogNumber?, end: LogNumber?) {
    if let place = row.header.place(.firstAbsolute) {
      let first = try row.time(at: place, of: LogColumn.name(LogColumn.Shared.firstAbsolute))
      guard let first else { return (nil, nil) }
      return (seconds(first), durat.map { seconds(first + $0) })
    }
    let first = try row.time(at: row.header.place(.first), of: LogColumn.name(.first))
    let last = try row.time(at: row.header.place(.last), of: LogColumn.name(.last))
    return (first.map(seconds), last.map(seconds))
  }

  private func records(ofUDP row: LogRow) throws(RowError) -> [FlowRecord] {
    let client = try row.end(ofServer: false)
    let server = try row.end(ofServer: true)
    var records: [FlowRecord] = []
    for isServer in [false, true] {
      let bits = try row.count(.bytesAll, ofServer: isServer, times: 8)
      let packets = try row.count(.packetsAll, ofServer: isServer)
      let durat = try row.time(
        at: row.header.place(.durat, ofServer: isServer), of: "durat", isExact: !options.hasMillisecondsOfUDP)
      let first = try row.time(at: row.header.place(.firstAbsolute, ofServer: isServer), of: "first_abs")
      guard packets > 0 || options.hasEmptyDirections, bits >= leastBits else { continue }
      let seconds = durat.map { options.hasMillisecondsOfUDP ? $0 / 1000 : $0 }
      let duration = seconds.map { LogNumber.rounded($0, decimals: 2) }
      let start = first.map { ($0 / 1000).rounded(.towardZero) }
      let (source, destination) = isServer ? (server, client) : (client, server)
      records.append(
        FlowRecord(
          kind: .udp, duration: duration.map { .decimal($0) }, bits: bits, packets: packets,
          bitsPerSecond: rate(bits, seconds), packetsPerSecond: rate(packets, seconds),
          source: source.address,
          sourcePort: source.port, destination: destination.address, destinationPort: destination.port,
          start: start.map { .whole(Int64($0)) }, end: start.map { .whole(Int64($0 + (duration ?? 0))) }))
    }
    return records
  }

  private func seconds(_ milliseconds: Double) -> LogNumber { .whole(Int64(milliseconds / 1000)) }

  /// What moved in each second; the whole number 0 where no time passed.
  private func rate(_ amount: Int64, _ seconds: Double?) -> LogNumber? {
    guard let seconds else { return nil }
    guard seconds != 0 else { return .whole(0) }
    let rate = Double(amount) / seconds
    return rate.isFinite ? .decimal(LogNumber.rounded(rate, decimals: 2)) : nil
  }

  private func value(
    of origin: TCPKey.Origin, in row: LogRow, ofServer isServer: Bool, packets: Int64
  ) throws(RowError) -> LogNumber? {
    switch origin {
    case .own(let column): return try row.value(column, ofServer: isServer)
    case .smaller(let column): return try row.ends(column) { $0 < $1 }
    case .larger(let column): return try row.ends(column) { $0 > $1 }
    case .resentRatio:
      guard let resent = try row.value(.packetsResent, ofServer: isServer)?.value else { return nil }
      return resent == 0 || packets == 0 ? .whole(0) : .decimal(resent / Double(packets))
    }
  }
}
