import Lab
import SystemRuntime
import Testing

@testable import Tstat

@Suite struct RowReaderTests {
  static let core =
    "#00#c_ip:1 c_port:2 c_bytes_uniq:3 c_pkts_data:4 c_pkts_retx:5 c_bytes_retx:6 s_ip:7 s_port:8 s_bytes_uniq:9 "
    + "s_pkts_data:10 s_pkts_retx:11 s_bytes_retx:12 first:13 last:14 durat:15"
  static let row =
    "192.0.2.1 40000 1000 4 1 100 192.0.2.2 443 2000 5 0 0 1500000000123.456 1500000002123.456 2000.000000"
  static let udp =
    "#c_ip:1 c_port:2 c_first_abs:3 c_durat:4 c_bytes_all:5 c_pkts_all:6 s_ip:7 s_port:8 s_first_abs:9 s_durat:10 "
    + "s_bytes_all:11 s_pkts_all:12"

  static func options(_ change: (inout RowOptions) -> Void = { _ in }) -> RowOptions {
    var options = RowOptions(threshold: 0, sensor: "s")
    change(&options)
    return options
  }

  private static func read(
    _ lines: [String], _ kind: LogFile.Kind = .tcp, _ options: RowOptions = Self.options()
  ) -> [RowReader.Outcome] {
    var reader = RowReader(kind, options)
    return lines.map { line in
      let bytes = Array(line.utf8)
      return reader.read(bytes, bytes.indices)
    }
  }

  private static func records(_ outcomes: [RowReader.Outcome]) -> [FlowRecord] {
    outcomes.flatMap { outcome in
      if case .records(let records) = outcome { records } else { [FlowRecord]() }
    }
  }

  @Test func `a row gives its client's direction, then its server's`() throws {
    let records = Self.records(Self.read([Self.core, Self.row]))
    #expect(records.map(\.source) == ["192.0.2.1", "192.0.2.2"])
    #expect(records.map(\.destinationPort) == [443, 40000])
    #expect(records.map(\.bits) == [8000, 16000])
    #expect(records.map(\.packets) == [4, 5])
    #expect(records.map(\.duration) == [.decimal(2), .decimal(2)])
    #expect(records.map(\.bitsPerSecond) == [.decimal(4000), .decimal(8000)])
    #expect(records.map(\.start) == [.whole(1_500_000_000), .whole(1_500_000_000)])
    #expect(records.map(\.end) == [.whole(1_500_000_002), .whole(1_500_000_002)])
    let ratio = TCPKey.allCases.filter { $0.isWritten(Self.options()) }.firstIndex(of: .resentRatio)
    #expect(try records.map { $0.tcp[try #require(ratio)] } == [.decimal(0.25), .whole(0)])
  }

  @Test(arguments: [
    ("192.0.2.1 40000", "2 fields where its header has 15"),
    (row + " 5", "16 fields where its header has 15"),
    (row.replacing(" 1000 ", with: " -1000 "), "c_bytes_uniq is not a count"),
    (row.replacing(" 1000 ", with: " 1000.5 "), "c_bytes_uniq is not a count"),
    (row.replacing(" 1000 ", with: " nan "), "c_bytes_uniq is not a count"),
    (row.replacing(" 2000 ", with: " 9223372036854775807 "), "s_bytes_uniq is too large"),
    (row.replacing(" 2000 ", with: " 99999999999999999999 "), "s_bytes_uniq is not a count"),
    (row.replacing(" 2000.0", with: " -2000.0"), "durat is no time"),
    (row.replacing(" 2000.000000", with: " 1e30"), "durat is no time"),
    (row.replacing("1500000000123", with: "x"), "first is no time"),
    (row.replacing(" 100 ", with: " a "), "c_bytes_retx is no number"),
    (row.replacing("192.0.2.1", with: "19\"2"), "the client has no address"),
    (row.replacing("192.0.2.2", with: ""), "the server has no address"),
    (row.replacing("443", with: "https"), "s_port is not a count"),
  ])
  func `each line that cannot be used says why`(line: String, reason: String) {
    #expect(Self.read([Self.core, line, Self.row]).dropFirst().first == .broken(reason))
    #expect(Self.records(Self.read([Self.core, line, Self.row])).count == 2)
  }

  @Test(arguments: ["\r", " ", "  ", " \r", "\t"])
  func `line ends of other systems, spaces at the end and empty lines do no harm`(end: String) {
    let lines = [Self.core + end, Self.row + end, end, "", Self.row]
    #expect(Self.records(Self.read(lines)) == Self.records(Self.read([Self.core, Self.row, Self.row])))
  }

  @Test func `columns are found again at each header`() {
    let other =
      "#01#s_ip:1 s_port:2 c_ip:3 c_port:4 durat:5 first:6 last:7 c_bytes_uniq:8 s_bytes_uniq:9 c_pkts_data:10 s_pkts_data:11"
    let records = Self.records(
      Self.read([
        Self.core, Self.row, other, "192.0.2.9 53 192.0.2.8 999 10.0 5000 6000 1 2 3 4", Self.core, Self.row,
      ]))
    #expect(
      records.map(\.source) == ["192.0.2.1", "192.0.2.2", "192.0.2.8", "192.0.2.9", "192.0.2.1", "192.0.2.2"])
    #expect(records[2].bits == 8)
    #expect(records[3].bits == 16)
  }

  @Test func `of two columns with one name the first counts`() {
    let header = Self.core + " c_pkts_data:16 s_pkts_data:17"
    #expect(Self.records(Self.read([header, Self.row + " 77 88"])).map(\.packets) == [4, 5])
  }

  @Test func `a header without a needed column makes its rows useless, the next header mends it`() {
    let outcomes = Self.read(["#c_ip:1 c_port:2", "192.0.2.1 5", Self.core, Self.row])
    guard case .broken(let header) = outcomes[0], case .broken = outcomes[1] else {
      Issue.record("\(outcomes)")
      return
    }
    #expect(header.contains("c_bytes_uniq, s_bytes_uniq"))
    #expect(Self.records(outcomes).count == 2)
  }

  @Test func `where the header has no columns for them keys are left out`() {
    var reader = RowReader(.tcp, Self.options())
    for line in [Self.core, Self.row] { _ = reader.read(Array(line.utf8), 0..<line.utf8.count) }
    #expect(reader.absentKeys.contains(.rttAverage))
    #expect(!reader.absentKeys.contains(.packetsResent))
    var buffer = ByteBuffer()
    for record in Self.records(Self.read([Self.core, Self.row])) {
      FlowJSON(Self.options()).append(record, to: &buffer)
    }
    let text = String(decoding: buffer.take(), as: UTF8.self)
    #expect(text.contains("\"tcp_rexmit_pkts\": 1"))
    #expect(!text.contains("tcp_rtt_avg"))
  }

  @Test(arguments: ["#", "##", "#\u{ff}\u{0}", "# made by hand", "#7 8 9"])
  func `a line that begins with # and names no column is no header`(line: String) {
    let outcomes = Self.read([Self.core, Self.row, line, Self.row])
    #expect(outcomes[2] == .broken("it begins with # and names no known column"))
    #expect(Self.records(outcomes).count == 4)
  }

  @Test(arguments: [("-0.0004", false), ("-0.000000", true), ("0.0004", true)])
  func `a duration is not negative`(durat: String, isUsed: Bool) {
    let line = "192.0.2.1 5353 1726863583123.456 \(durat) 6285 16 192.0.2.2 53 0.000000 0.000000 0 0"
    let records = Self.records(Self.read([Self.udp, line], .udp))
    #expect(records.isEmpty != isUsed)
    if durat == "-0.000000" { #expect(records.first?.duration == .decimal(0)) }
  }

  @Test func `NaN and infinity leave their keys out`() throws {
    let line = Self.row.replacing("2000.000000", with: "nan").replacing(" 100 ", with: " -inf ")
    let record = try #require(Self.records(Self.read([Self.core, line])).first)
    #expect(record.duration == nil)
    #expect(record.bitsPerSecond == nil)
    #expect(record.end == .whole(1_500_000_002))
    #expect(record.tcp.first == .some(nil))
  }

  @Test func `tstat 2.x: the time since 1970 is first_abs`() throws {
    let header = Self.core + " first_abs:16"
    let line =
      Self.row.replacing("1500000000123.456 1500000002123.456", with: "10.5 2010.5") + " 1400000000900.000"
    let record = try #require(Self.records(Self.read([header, line])).first)
    #expect(record.start == .whole(1_400_000_000))
    #expect(record.end == .whole(1_400_000_002))
  }

  @Test(arguments: [98, 99, 113])
  func `tstat 1.x: without a header the columns are those of its manual`(count: Int) throws {
    var fields = [String](repeating: "0", count: count)
    (fields[0], fields[1], fields[44], fields[45]) = ("192.0.2.1", "5", "192.0.2.2", "80")
    (fields[6], fields[7], fields[50], fields[51]) = ("10", "1", "20", "2")
    (fields[88], fields[97]) = ("1000.0", "1400000000000.0")
    let records = Self.records(Self.read([fields.joined(separator: " "), fields.joined(separator: "\t")]))
    #expect(records.map(\.bits) == [80, 160, 80, 160])
    #expect(records.first?.start == .whole(1_400_000_000))
    #expect(records.first?.end == .whole(1_400_000_001))
  }

  @Test(arguments: [(0, 2), (1, 1), (2, 1), (3, 0), (Int64.max, 0)])
  func `a threshold of megabytes leaves out what moved less`(megabytes: Int64, count: Int) {
    let line = Self.row.replacing(" 1000 ", with: " 999999 ").replacing(" 2000 ", with: " 2000000 ")
    let options = Self.options { $0.threshold = megabytes }
    #expect(Self.records(Self.read([Self.core, line], .tcp, options)).count == count)
  }

  @Test(arguments: [false, true])
  func `durations of UDP are seconds; as milliseconds they give the original's figures`(isOld: Bool) throws {
    let line = "192.0.2.1 5353 1726863583123.456 0.184224 6285 16 192.0.2.2 53 1726863583200.0 0.000000 100 1"
    let records = Self.records(
      Self.read([Self.udp, line], .udp, Self.options { $0.hasMillisecondsOfUDP = isOld }))
    let client = try #require(records.first)
    #expect(client.duration == .decimal(isOld ? 0 : 0.18))
    #expect(client.bitsPerSecond == .decimal(isOld ? 273260869.57 : 272928.61))
    #expect(client.packetsPerSecond == .decimal(isOld ? 86956.52 : 86.85))
    #expect(client.start == .whole(1_726_863_583))
    #expect(client.end == .whole(1_726_863_583))
    #expect(records.last?.bitsPerSecond == .whole(0))
  }

  @Test(arguments: [(false, 1), (true, 2)])
  func `a direction of UDP without a packet is left out, unless it is asked for`(areWanted: Bool, count: Int)
  {
    let line = "192.0.2.1 5353 1726863583123.456 0.184224 6285 16 192.0.2.2 53 0.000000 0.000000 0 0"
    let records = Self.records(
      Self.read([Self.udp, line], .udp, Self.options { $0.hasEmptyDirections = areWanted }))
    #expect(records.count == count)
    #expect(records.last?.start == .whole(areWanted ? 0 : 1_726_863_583))
  }

  @Test(arguments: 0..<8)
  func `no bytes make the reader fail`(seed: UInt64) {
    var generator = SplitMix64(seed: seed)
    let good = Array((Self.core + "\n" + Self.row).utf8)
    for _ in 0..<2000 {
      var bytes = good
      for _ in 0..<Int.random(in: 1...6, using: &generator) {
        let index = Int.random(in: bytes.indices, using: &generator)
        switch Int.random(in: 0..<3, using: &generator) {
        case 0: bytes[index] = UInt8.random(in: 0...255, using: &generator)
        case 1: bytes.remove(at: index)
        default: bytes.insert(UInt8.random(in: 0...255, using: &generator), at: index)
        }
      }
      var reader = RowReader(.tcp, Self.options())
      var start = 0
      while let end = bytes[start...].firstIndex(of: 0x0a) {
        _ = reader.read(bytes, start..<end)
        start = end + 1
      }
      _ = reader.read(bytes, start..<bytes.count)
    }
  }
}
