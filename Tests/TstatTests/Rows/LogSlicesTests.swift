import Foundation
import Lab
import Model
import SystemPackage
import SystemRuntime
import Testing

@testable import Tstat

@Suite struct LogSlicesTests {
  /// The slices of the logs of these names in a folder, which need not be there.
  static func slices(
    _ folder: String, _ names: [String] = ["log_tcp_complete"],
    _ options: RowOptions = RowReaderTests.options()
  ) throws -> (
    slices: [Slice], counts: LogSlices.Counts, remarks: [String], isIncomplete: Bool, isDamaged: Bool
  ) {
    let root = try LogRoot(folder)
    let facts = try OpenFile(folder, isFolder: true)
    let found = LogDirectory(
      parent: String(folder.prefix(upTo: try #require(folder.lastIndex(of: "/")))),
      name: String(folder.suffix(from: folder.index(after: try #require(folder.lastIndex(of: "/"))))),
      identity: try root.folder.facts().identity, modified: FileTime.now(), isRoot: true)
    let logs = names.map { name in
      LogFile(
        kind: name.contains("udp") ? .udp : .tcp, isCompressed: name.hasSuffix(".gz"), size: 0,
        modified: FileTime.now(),
        inode: (try? facts.status(of: name).inode) ?? 0)
    }
    var reader = LogSlices(try OpenLogDirectory(found, in: root), logs: logs, options: options)
    var slices: [Slice] = []
    while let slice = reader.next() { slices.append(slice) }
    let remarks = reader.takeRemarks().map { $0.replacing(folder, with: "d.out") }
    return (slices, reader.counts, remarks, reader.isIncomplete, reader.isDamaged)
  }

  static func log(rows: Int) -> String {
    RowReaderTests.core + "\n" + String(repeating: RowReaderTests.row + "\n", count: rows)
  }

  private static let headers = [
    "105ccf8-tcp-all", "105ccf8-udp-all", "57ae7b8-tcp-09", "57ae7b8-tcp-15", "57ae7b8-tcp-31",
    "57ae7b8-udp-all",
    "9c99f98-tcp-15", "9c99f98-tcp-31", "7a9768e-tcp-15", "7a9768e-tcp-31", "HEAD-udp-all",
  ]

  /// The logs are made up, with the headers that tstat's revisions write; the JSON is what tstat_transport 0.6.5 printed.
  @Test(arguments: headers)
  func `what the original prints is what this prints`(name: String) throws {
    let url = try #require(Bundle.module.url(forResource: "Fixtures/parity/\(name)", withExtension: "log"))
    let expected = try Data(contentsOf: url.deletingPathExtension().appendingPathExtension("json"))
    let options = RowReaderTests.options {
      $0.format = .version065
      $0.sensor = "sensor.example"
      $0.hasMillisecondsOfUDP = true
      $0.hasEmptyDirections = true
    }
    let folder = try ScratchFolder()
    let log = name.contains("udp") ? "log_udp_complete" : "log_tcp_complete"
    try folder.write(try String(contentsOf: url, encoding: .utf8), to: log)
    let found = try Self.slices(
      folder.path, [log], options)
    #expect(found.counts.broken == 0)
    let printed = found.slices.map { String(decoding: $0.body, as: UTF8.self) + "\n" }.joined()
    #expect(printed == String(decoding: expected, as: UTF8.self))
  }

  @Test(
    .needs(.realLogs),
    arguments: ["0.6.5", "0.6.8"])
  func `real logs give the JSON that the original gave`(version: String) throws {
    let folder = try #require(Requirement.logs)
    let options = RowReaderTests.options {
      $0.format = RowOptions.WireFormat(rawValue: version) ?? .version068
      $0.sensor = "sensor.example"
    }
    let found = try Self.slices(folder, ["log_tcp_complete"], options)
    let expected = try String(
      contentsOfFile: "\(folder)/golden_\(version)_tcp_threshold0.json", encoding: .utf8)
    #expect(found.slices.map { String(decoding: $0.body, as: UTF8.self) } == [expected])
    #expect(found.slices.map(\.recordCount) == [44])
  }

  @Test(arguments: [(49, 0), (50, 0), (51, 0), (30, 40), (120, 3)])
  func `TCP, then UDP, is one list that is cut at a hundred`(tcp: Int, udp: Int) throws {
    let folder = try ScratchFolder()
    try folder.write(Self.log(rows: tcp), to: "log_tcp_complete")
    let row = "192.0.2.1 5 1726863583123.456 0.1 62 1 192.0.2.2 53 1726863583123.456 0.1 62 1\n"
    try folder.write(RowReaderTests.udp + "\n" + String(repeating: row, count: udp), to: "log_udp_complete")
    let found = try Self.slices(
      folder.path,
      ["log_tcp_complete", "log_udp_complete"])
    let all = 2 * (tcp + udp)
    #expect(found.slices.map(\.recordCount) == (0..<(all + 99) / 100).map { min(100, all - $0 * 100) })
    #expect(found.slices.map(\.number) == Array(found.slices.indices))
    #expect(found.counts.rows == tcp + udp)
    for (index, slice) in found.slices.enumerated() {
      let objects = try #require(
        try JSONSerialization.jsonObject(with: Data(slice.body)) as? [[String: Any]])
      #expect(objects.count == slice.recordCount)
      let first = index * 50
      #expect(slice.log == (first < tcp ? "log_tcp_complete" : "log_udp_complete"))
      #expect(slice.firstRow == 2 + (first < tcp ? first : first - tcp))
    }
  }

  @Test func `a message has the same id whenever it is made, and another one for other content`() throws {
    let folder = try ScratchFolder()
    try folder.write(Self.log(rows: 120), to: "log_tcp_complete")
    let first = try Self.slices(folder.path).slices
    let again = try Self.slices(folder.path).slices
    let other = try Self.slices(
      folder.path, ["log_tcp_complete"],
      RowReaderTests.options { $0.instance = "2" }
    ).slices
    func ids(_ slices: [Slice], _ directory: String = "/a/d.out") -> [String] {
      slices.map { $0.record(directory: directory, source: "d.out", time: 5).id }
    }
    #expect(ids(first) == ids(again))
    #expect(Set(ids(first) + ids(other) + ids(first, "/b/d.out")).count == 9)
    #expect(ids(first).allSatisfy { $0.count == 32 })
    #expect(
      first[1].record(directory: "/a/d.out", source: "d.out", time: 5).headers.map(\.value) == [
        .text("d.out/log_tcp_complete"), .number(52), .number(100),
      ])
  }

  @Test func `a compressed log is read, also one of several parts`() async throws {
    let folder = try ScratchFolder()
    try folder.write(Self.log(rows: 300), to: "plain")
    try folder.write(RowReaderTests.row + "\n", to: "more")
    try await run(["sh", "-c", "cd \(folder.path) && (gzip -c plain; gzip -c more) > log_tcp_complete.gz"])
    try folder.write(Self.log(rows: 301), to: "log_tcp_complete")
    let found = try Self.slices(folder.path, ["log_tcp_complete.gz"])
    #expect(
      found.slices.map(\.body)
        == (try Self.slices(folder.path, ["log_tcp_complete"])).slices.map(\.body))
    #expect(found.remarks.filter { !$0.contains("no columns") } == [])
  }

  /// The check sum at the end is wrong: all rows come before it.
  @Test(arguments: [200, 20_000])
  func `rows before the damage of a compressed log are used`(rows: Int) async throws {
    let folder = try ScratchFolder()
    try folder.write(Self.log(rows: rows), to: "plain")
    try await run(["sh", "-c", "cd \(folder.path) && gzip -c plain > log_tcp_complete.gz"])
    var bytes = try Data(contentsOf: URL(fileURLWithPath: "\(folder.path)/log_tcp_complete.gz"))
    bytes[bytes.count - 8] ^= 0xff
    try bytes.write(to: URL(fileURLWithPath: "\(folder.path)/log_tcp_complete.gz"))
    let found = try Self.slices(folder.path, ["log_tcp_complete.gz"])
    #expect(found.counts.rows == rows)
    #expect(found.remarks.contains { $0.contains("is damaged") })
  }

  @Test(arguments: ["cut", "damaged"])
  func `of a cut or damaged compressed log what comes before is used, and it is said`(how: String)
    async throws
  {
    let folder = try ScratchFolder()
    // Rows that differ, so that there is something to compress.
    let rows = (0..<20_000).map {
      RowReaderTests.row.replacing(" 1000 ", with: " \($0 &* 7919 % 100_003) ")
    }
    try folder.write(RowReaderTests.core + "\n" + rows.joined(separator: "\n") + "\n", to: "plain")
    try await run(["sh", "-c", "cd \(folder.path) && gzip -c plain > log_tcp_complete.gz"])
    var bytes = try Data(contentsOf: URL(fileURLWithPath: "\(folder.path)/log_tcp_complete.gz"))
    if how == "cut" { bytes.removeLast(bytes.count / 3) } else { bytes[bytes.count * 2 / 3] ^= 0xff }
    try bytes.write(to: URL(fileURLWithPath: "\(folder.path)/log_tcp_complete.gz"))
    let found = try Self.slices(folder.path, ["log_tcp_complete.gz"])
    // Two thirds of the compressed bytes.
    #expect((12_000...20_001).contains(found.counts.rows))
    #expect(!found.isIncomplete && found.isDamaged)
    #expect(found.remarks.contains { $0.contains(how == "cut" ? "its end is missing" : "damaged") })
  }

  @Test func `a line of any length costs no memory and no other row`() throws {
    let folder = try ScratchFolder()
    let long = String(repeating: "x", count: 3_000_000)
    try folder.write(
      "\(RowReaderTests.core)\n\(RowReaderTests.row)\n\(long)\n\(RowReaderTests.row)\n\(long)",
      to: "log_tcp_complete")
    let found = try Self.slices(folder.path)
    #expect(found.slices.map(\.recordCount) == [4])
    #expect(found.counts.broken == 2)
    #expect(
      found.remarks.contains("d.out/log_tcp_complete:3: a line of more than 256 KiB; the line is left out."))
    #expect(found.remarks.contains { $0.contains("complete:5:") })
  }

  @Test func `a last line that is cut is left out, and one without a line end is used`() throws {
    let folder = try ScratchFolder()
    try folder.write(Self.log(rows: 2).dropLast() + "", to: "log_tcp_complete")
    #expect(try Self.slices(folder.path).slices.map(\.recordCount) == [4])
    try folder.write(Self.log(rows: 2).dropLast(20) + "", to: "log_tcp_complete")
    let found = try Self.slices(folder.path)
    #expect(found.slices.map(\.recordCount) == [2])
    #expect(found.remarks.contains { $0.hasPrefix("d.out/log_tcp_complete:3: 14 fields") })
  }

  @Test func `of many broken lines ten are named`() throws {
    let folder = try ScratchFolder()
    try folder.write(Self.log(rows: 1) + String(repeating: "x y\n", count: 5000), to: "log_tcp_complete")
    let found = try Self.slices(folder.path)
    #expect(found.remarks.filter { $0.contains("2 fields") }.count == 10)
    #expect(found.remarks.last == "d.out: 5000 lines are left out in all.")
    #expect(found.counts.broken == 5000)
  }

  @Test func `a log that cannot be read leaves the directory unfinished, and what comes after it unread`()
    throws
  {
    let folder = try ScratchFolder()
    try folder.write(Self.log(rows: 1), to: "log_tcp_complete")
    let found = try Self.slices(
      folder.path,
      ["log_tcp_complete", "log_udp_complete"])
    #expect(found.isIncomplete)
    #expect(found.slices.isEmpty)
    #expect(found.remarks.contains { $0.contains("log_udp_complete is gone") })
    try folder.write(Self.log(rows: 60), to: "log_tcp_complete")
    #expect(
      try Self.slices(folder.path, ["log_tcp_complete", "log_udp_complete"]).slices.map(\.recordCount) == [
        100
      ])
  }
}
