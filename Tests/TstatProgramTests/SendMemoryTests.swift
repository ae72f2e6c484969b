import Foundation
import Lab
import Testing

/// What tstat_send takes of the machine.
@Suite struct SendMemoryTests {
  /// Rows as tstat writes them with all its columns, most of which are not read: about a kilobyte each.
  private static func log(megabytes: Int) -> Data {
    let more = 120
    let header = SendSite.header.dropLast() + (16..<(16 + more)).map { " column\($0):\($0)" }.joined() + "\n"
    func row(bytes: Int) -> String {
      "192.0.2.1 40000 1000 4 1 100 192.0.2.2 443 \(bytes) 5 0 0 1500000000123.456 1500000002123.456 2000.000000"
        + String(repeating: " 123.456", count: more) + "\n"
    }
    // A tenth of the rows is above the threshold.
    let block = Data((row(bytes: 20_000_000) + String(repeating: row(bytes: 2000), count: 9)).utf8)
    var log = Data(header.utf8)
    while log.count < megabytes * 1_000_000 { log.append(block) }
    return log
  }

  /// The most memory that a run on a log of this size had at once, in KiB.
  private func peak(megabytes: Int) async throws -> Int {
    let site = try SendSite()
    try site.make("1.out", tcp: 0)
    try Self.log(megabytes: megabytes).write(to: URL(filePath: site.path("1.out/log_tcp_complete")))
    let script = """
      import resource, subprocess, sys
      status = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
      print(status, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
      """
    let answer = try await site.run(["-N", "-T", "10"], wrapper: ["/usr/bin/python3", "-c", script])
    let words = answer.output.split(separator: "\n").last?.split(separator: " ").compactMap { Int($0) } ?? []
    #expect(words.first == 0, "\(answer.errors)")
    return try #require(words.last)
  }

  @Test func `its memory does not grow with the logs`() async throws {
    let small = try await peak(megabytes: 6)
    let large = try await peak(megabytes: 60)
    #expect(large < 40 * 1024, "\(large) KiB")
    #expect(large < small + 4 * 1024, "\(small) KiB and \(large) KiB")
  }
}
