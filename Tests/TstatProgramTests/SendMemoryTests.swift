import Foundation
import Lab
import Testing

/// What tstat_send takes of the machine.
@Suite struct SendMemoryTests {
  /// A part of a log, and what becomes of it.
  private struct Part {
    var text: String
    var rows: Int
    var broken: Int
    /// The objects above 10 MB.
    var objects: Int
  }

  /// A row of which the server sent so much; with `more` columns that are not read, as tstat's full rows have them.
  private static func row(bytes: Int, more: Int = 0, times: String = "1500000000123.456 1500000002123.456")
    -> String
  {
    "192.0.2.1 40000 1000 4 1 100 192.0.2.2 443 \(bytes) 5 0 0 \(times) 2000.000000"
      + String(repeating: " 123.456", count: more)
  }

  /// What logs have in turn: each level, version and fault.
  private static let parts: [Part] = {
    let (big, small) = (20_000_000, 2_000)
    let more = 120
    let wide = SendSite.header.dropLast() + (16..<(16 + more)).map { " column\($0):\($0)" }.joined() + "\n"
    let twice = SendSite.header.dropLast() + " c_bytes_uniq:16 s_bytes_uniq:17\n"
    // The begin stands in a column of its own, as tstat 2.x has it.
    let older = SendSite.header.dropLast() + " first_abs:16\n"
    return [
      // About a kilobyte each.
      Part(
        text: wide + row(bytes: big, more: more) + "\n"
          + String(repeating: row(bytes: small, more: more) + "\n", count: 9),
        rows: 10, broken: 0, objects: 1),
      Part(text: SendSite.header + row(bytes: big) + " \n", rows: 1, broken: 0, objects: 1),
      Part(
        text: SendSite.header.dropLast() + "\r\n" + row(bytes: big) + "\r\n", rows: 1, broken: 0, objects: 1),
      Part(text: twice + row(bytes: big) + " 1 1\n", rows: 1, broken: 0, objects: 1),
      Part(
        text: older + row(bytes: big, times: "0.000 2000.000") + " 1500000000123.456\n", rows: 1, broken: 0,
        objects: 1),
      // The line before ends in the middle, and one has a quote that none follows.
      Part(
        text: SendSite.header + "192.0.2.1 40000 10\n" + row(bytes: big) + " \"\n" + row(bytes: big) + "\n",
        rows: 3, broken: 2, objects: 1),
    ]
  }()

  /// The most memory that a run on so much of the parts had at once, in KiB.
  private func peak(megabytes: Int, compressed: Bool = false) async throws -> Int {
    let site = try SendSite()
    let path = try site.make("1.out", tcp: 0) + "/log_tcp_complete"
    let block = Data(Self.parts.map(\.text).joined().utf8)
    let repetitions = megabytes * 1_000_000 / block.count
    #expect(FileManager.default.createFile(atPath: path, contents: nil))
    let file = try FileHandle(forWritingTo: URL(filePath: path))
    for _ in 1...repetitions { try file.write(contentsOf: block) }
    try file.close()
    if compressed { #expect(try await ChildProcess(["gzip", "-1", path]).ended() == .exited(0)) }
    let script = """
      import resource, subprocess, sys
      status = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
      print(status, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
      """
    let answer = try await site.run(
      ["-N", "-T", "10", "--format", "json"], wrapper: ["/usr/bin/python3", "-c", script])
    for (name, value) in [("rows", \Part.rows), ("broken", \.broken), ("objects", \.objects)] {
      let count = repetitions * Self.parts.map { $0[keyPath: value] }.reduce(0, +)
      #expect(answer.errors.contains("\"\(name)\":\(count),"), "\(answer.errors)")
    }
    let words = answer.output.split(separator: "\n").last?.split(separator: " ").compactMap { Int($0) } ?? []
    #expect(words.first == 0, "\(answer.errors)")
    return try #require(words.last)
  }

  @Test func `its memory does not grow with the logs`() async throws {
    let small = try await peak(megabytes: 6)
    let large = try await peak(megabytes: 200)
    let compressed = try await peak(megabytes: 20, compressed: true)
    #expect(max(large, compressed) < 40 * 1024, "\(large) KiB, \(compressed) KiB")
    #expect(max(large, compressed) < small + 4 * 1024, "\(small), \(large) and \(compressed) KiB")
  }
}
