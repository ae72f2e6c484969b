import Foundation
import Model
import Testing

@testable import Output

@Suite struct TableRendererTests {
  private let busyReport: UsageReport = {
    var health = Health()
    (health.flows, health.vanished, health.interruptedDumps) = (12, 9, 9)
    (health.uncounted, health.missedEvents) = (2, 3)
    var rows = [
      process("sshd: root@pts/0", pid: 812, total: (40_000, 90_000), moved: (100, 300)),
      process(
        "curl -s http://files.example.org/pub/iso/debian-12.iso", pid: 4711, total: (10_485_760, 2212),
        moved: (5_242_880, 1106)),
      process("日本語の名前を持つプログラム --verbose", pid: 99_999, total: (4096, 1 << 40), moved: (0, 2048)),
      process("wget", pid: 7, exited: true, total: (5000, 50), moved: (0, 0)),
      process(hostileName, pid: 13, total: (4000, 50)),
      UsageRow(
        name: "(forwarded)", subject: .remainder, total: Usage(received: 3000, sent: 3000),
        moved: Usage(received: 10, sent: 10)),
    ]
    rows += (1...8).map { process("idle \($0)", pid: Int32(1000 + $0), total: (UInt64(100 - $0), 0)) }
    let balance = Balance(
      attributed: Usage(received: 9000, sent: 720), forwarded: Usage(received: 100, sent: 60),
      kernel: Usage(received: 10, sent: 0),
      unattributed: [.exited: Usage(received: 80, sent: 0), .noSocket: Usage(received: 0, sent: 30)])
    return report(rows, balance: balance, health: health)
  }()

  private func fixture(_ name: String) throws -> String {
    let file = try #require(
      Bundle.module.url(forResource: name, withExtension: "txt", subdirectory: "Fixtures"))
    return try String(contentsOf: file, encoding: .utf8)
  }

  @Test(arguments: [(40, 10), (80, 24), (200, 60)])
  func `a frame of this size is the recorded one`(width: Int, height: Int) throws {
    let frame = TableRenderer(width: width, height: height, color: false).frame(busyReport)
    let text = frame.map { $0 + "\n" }.joined()
    if ProcessInfo.processInfo.environment["BWMON_REGENERATE"] == "1" {
      let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures")
      try Data(text.utf8).write(to: folder.appending(path: "table-\(width)x\(height).txt"))
    }
    #expect(text == (try fixture("table-\(width)x\(height)")))
  }

  @Test(arguments: [(100, 24), (60, 12), (20, 8), (5, 3), (80, 1)])
  func `messages stand below the table and never push it out`(width: Int, height: Int) {
    let renderer = TableRenderer(width: width, height: height, color: false)
    let messages = [
      "an old one", "runmonitor: warning: \(hostileName) " + String(repeating: "w", count: 130),
    ]
    let frame = renderer.frame(busyReport, messages: messages)
    #expect(frame.count <= height)
    #expect(frame.allSatisfy { $0.displayWidth <= width && !$0.contains("\u{1b}") })
    let plain = renderer.frame(busyReport)
    let room = height / 4
    #expect(
      room == 0 ? frame == plain : frame.last?.hasSuffix("w") == true || frame.last?.hasSuffix("…") == true)
  }

  /// A warning says at its end what to do, and at its beginning what is the matter.
  @Test func `messages are whole in the lines that the table leaves`() {
    let renderer = TableRenderer(width: 60, height: 24, color: false)
    let messages = (1...4).map {
      "runmonitor: warning: number \($0) " + String(repeating: "word ", count: 22) + "end"
    }
    let short = renderer.frame(report([process("a", total: (1, 1))]), messages: messages)
    #expect(
      short.count <= 24 && short.count { $0.contains("number") } == 4
        && short.count { $0.hasSuffix("end") } == 4)
    // A table that fills the screen leaves a quarter: two of three lines.
    let full = renderer.frame(busyReport, messages: messages)
    #expect(
      full.count <= 24 && full.count { $0.contains("number") } == 2 && full.count { $0.hasSuffix("end") } == 2
    )
    // Not even the latest fits: its beginning.
    let low = TableRenderer(width: 60, height: 8, color: false).frame(busyReport, messages: messages)
    #expect(low.count == 8 && low[6].hasPrefix("runmonitor: warning: number 4") && low[7].hasSuffix("…"))
  }

  /// Width of the terminal, and the columns that it shows; the name has thirty columns before the totals come.
  @Test(arguments: [
    (91, "    PID    RECEIVED/s        SENT/s    RECEIVED        SENT  NAME"),
    (90, "    PID    RECEIVED/s        SENT/s  NAME"), (67, "    PID    RECEIVED/s        SENT/s  NAME"),
    (66, "  RECEIVED/s        SENT/s  NAME"), (58, "  RECEIVED/s        SENT/s  NAME"),
    (57, "        RATE  NAME"), (44, "        RATE  NAME"), (26, "        RATE  NAME"), (25, "NAME"),
  ])
  func `totals go before the name does`(width: Int, header: String) {
    let frame = TableRenderer(width: width, height: nil, color: false).frame(busyReport)
    #expect(frame.first?.replacing(#/ +$/#, with: "") == header)
  }

  @Test(arguments: [
    (false, "serve.py --port 80", "(exited) job.pl x"),
    (true, "/venv/bin/python3 /srv/serve.py --port 80", "(exited) /usr/bin/perl /a/job.pl x"),
  ])
  func `a row begins with the program or the script`(isFull: Bool, name: String, ended: String) {
    let rows = [
      process("/venv/bin/python3 /srv/serve.py --port 80", total: (5, 5)),
      UsageRow(
        name: "/usr/bin/perl /a/job.pl x", subject: .exited(processes: 1), total: Usage(received: 3, sent: 0),
        moved: .zero),
      application("Web/Mail", total: (2, 0), moved: (0, 0)),
    ]
    let frame = TableRenderer(width: 140, height: nil, color: false, isFull: isFull).frame(report(rows))
    for (line, name) in zip(frame.dropFirst(), [name, ended, "Web/Mail"]) {
      #expect(line.hasSuffix("  " + name))
    }
  }

  @Test(arguments: [
    ("", 10, []), ("a", 0, []), ("one two three", 7, ["one two", "three"]),
    ("ab cdefgh i", 3, ["ab", "cde", "fgh", "i"]),
    ("日本語", 4, ["日本", "語"]), ("a  b", 10, ["a b"]), ("日", 1, ["…"]),
  ])
  func `words are wrapped, and long ones broken`(text: String, width: Int, lines: [String]) {
    #expect(text.wrappedWords(to: width) == lines)
  }

  @Test(arguments: [(UInt64(1), "(exited) curl"), (2, "(2 exited) curl")])
  func `a row of processes that ended says how many they were`(processes: UInt64, shown: String) {
    let row = UsageRow(
      name: "curl", subject: .exited(processes: processes), total: Usage(received: 1, sent: 1), moved: .zero)
    let frame = TableRenderer(width: 80, height: nil, color: false).frame(report([row]))
    #expect(frame[1].hasSuffix(shown))
  }

  @Test func `applications are shown with the number of their processes`() throws {
    var renderer = TableRenderer(width: 100, height: nil, color: false)
    let rows = [
      application("Web", pids: [4, 5, 6], total: (7000, 8000), moved: (1024, 512)),
      application("Mail", pids: [], total: (1 << 31, 8000), moved: (2048, 512)),
    ]
    let text = renderer.render(.usage(report(rows, over: .seconds(2))))
    #expect(
      text == """
          PROCS    RECEIVED/s        SENT/s    RECEIVED        SENT  NAME
              0     1.0 KiB/s       256 B/s     2.0 GiB     7.8 KiB  Mail
              3       512 B/s       256 B/s     6.8 KiB     7.8 KiB  Web
                    1.5 KiB/s       512 B/s     2.0 GiB    15.6 KiB  TOTAL
        no traffic counted yet


        """)
  }

  @Test(
    arguments: [
      (Balance(), "no traffic counted yet"),
      (
        Balance(interfaces: Usage(received: 9, sent: 1)),
        "no traffic counted yet · tracked 100.0 % of interface bytes"
      ),
      (
        Balance(
          attributed: Usage(received: 6, sent: 2), untracked: Usage(received: 2, sent: 0),
          interfaces: Usage(received: 8, sent: 2)),
        "attributed 100.0 % · tracked 80.0 % of interface bytes"
      ),
    ])
  func `the footer says how much of the interfaces' bytes was tracked`(balance: Balance, line: String) {
    let frame = TableRenderer(width: 200, height: nil, color: false).frame(report([], balance: balance))
    #expect(frame.last == line)
  }

  @Test(arguments: [
    (Layer.payload, 200, ["no traffic counted yet · payload only"]),
    (.payload, 30, ["no traffic counted yet", "payload only"]), (.l3, 200, ["no traffic counted yet"]),
  ])
  func `the footer says that headers are not counted`(layer: Layer, width: Int, lines: [String]) {
    var report = report([])
    report.layer = layer
    let frame = TableRenderer(width: width, height: nil, color: false).frame(report)
    #expect(frame.suffix(lines.count) == lines[...])
    #expect(frame.joined().contains("payload") == (layer == .payload))
  }

  @Test func `a client's bytes are its pipe's and count once in the total`() throws {
    let bytes = Usage(received: 1024, sent: 2048)
    let report = UsageReport(
      time: Timestamp(seconds: 0), interval: .seconds(1),
      rows: [
        UsageRow(name: "p", subject: .pipe(open: 1, accepted: 1, failed: 0), total: bytes, moved: bytes),
        UsageRow(
          name: "c", subject: .client(pipe: "p", address: nil, process: nil, open: 1), total: bytes,
          moved: bytes),
      ], balance: Balance(attributed: bytes), health: Health())
    let total = TableRenderer(width: 100, height: nil, color: false).frame(report)
      .first { $0.contains("TOTAL") }
    #expect(try #require(total).contains("2.0 KiB/s") && !(try #require(total).contains("4.0 KiB")))
  }

  @Test func `the first frame has no rates`() {
    let frame = TableRenderer(width: 60, height: nil, color: false)
      .frame(report([process("a", pid: 3, total: (2048, 0), moved: (2048, 0))], over: nil))
    #expect(frame[1] == "           -             -  a")
  }

  @Test func `no size is too small and nothing is wider or higher`() {
    for width in 0...140 {
      for height in 0...30 {
        let frame = TableRenderer(width: width, height: height, color: false).frame(busyReport)
        #expect(frame.count <= height && frame.allSatisfy { $0.displayWidth <= width })
        #expect(width == 0 || frame.isEmpty == (height == 0))
      }
    }
  }

  @Test(arguments: [1, 2, 3, 5, 8, 20])
  func `what is not shown is counted`(height: Int) throws {
    let rows = (1...10).map { process("p\($0)", total: (1, 1), moved: (UInt64($0), 0)) }
    let frame = TableRenderer(width: 80, height: height, color: false).frame(report(rows))
    let shown = frame.count { $0.contains(" p") && $0.contains("B/s") }
    let more = frame.compactMap { line in line.hasPrefix("… and ") ? Int(line.split(separator: " ")[2]) : nil
    }
    #expect(more == (shown < 10 && height > 1 ? [10 - shown] : []))
    #expect(frame.contains { $0.hasSuffix("  p10") })
  }

  @Test func `colours change no text`() {
    let plain = TableRenderer(width: 80, height: 24, color: false).frame(busyReport)
    let colored = TableRenderer(width: 80, height: 24, color: true).frame(busyReport)
    #expect(!plain.joined().contains("\u{1b}"))
    #expect(colored[0] == "\u{1b}[1m" + plain[0] + "\u{1b}[0m")
    #expect(colored.last == "\u{1b}[33m" + (plain.last ?? "") + "\u{1b}[0m")
    #expect(zip(plain, colored).allSatisfy { $0 == $1 || $1.contains($0) })
  }

  @Test(
    arguments: [
      (
        1,
        "1 flow not counted, 1 item without room, 1 connection refused or forgotten "
          + "by the table, 1 search given up, 1 report skipped"
      ),
      (
        2,
        "2 flows not counted, 2 items without room, 2 connections refused or forgotten "
          + "by the table, 2 searches given up, 2 reports skipped"
      ),
    ] as [(UInt64, String)])
  func `one is one and two are more`(count: UInt64, line: String) {
    var health = Health()
    health.uncounted = Int(count)
    // Said once, and part of the balance where it matters.
    health.denied = Int(count)
    health.dropped = count
    health.lostEntries = count
    health.abandonedSearches = count
    health.skippedReports = count
    let frame = TableRenderer(width: 200, height: nil, color: false).frame(report([], health: health))
    #expect(frame.last == "warning: " + line)
  }

  @Test func `a quiet host has no warnings`() {
    let frame = TableRenderer(width: 80, height: 24, color: true).frame(report([]))
    #expect(!frame.joined().contains("warning"))
  }

  @Test func `alerts and warnings are not in the table`() {
    var renderer = TableRenderer(width: 80, height: 24, color: true)
    #expect(renderer.render(.alert(alert(.firing))) == "")
    #expect(renderer.render(.warning(Warning(code: "c", text: "t"), at: sampleTime)) == "")
  }
}
