import Model
import Testing

import Output

@Suite struct PlainRendererTests {
  private func plain(_ style: PlainRenderer.Style, _ report: UsageReport) -> String {
    var renderer = PlainRenderer(style: style)
    return renderer.render(.usage(report))
  }

  @Test func `totals are the original's lines, ascending by received`() {
    let text = plain(
      .totals,
      report([
        process("curl -s http://h/", total: (10_485_760, 2212), moved: (0, 0)),
        process("idle", total: (0, 0)),
        process("sshd: root@pts/0", total: (512, 99_999)),
        process("b", total: (512, 7)), process("a", total: (512, 7)),
        process("backup", total: (12_345_678_901, 0)),
      ]))
    #expect(
      text == """
               512 /          7 -- a
               512 /          7 -- b
               512 /      99999 -- sshd: root@pts/0
          10485760 /       2212 -- curl -s http://h/
        12345678901 /          0 -- backup


        """)
  }

  @Test func `rates are whole bytes per second of what moved, truncated, and none where both are 0`() {
    let text = plain(
      .rates,
      report(
        [
          process("was busy", total: (5_000_000, 1)), process("curl", total: (9, 9), moved: (3001, 2001)),
          process("trickle", total: (9, 9), moved: (0, 1)),
        ], over: .seconds(2)))
    #expect(
      text == """
              1500 /       1000 -- curl


        """)
  }

  @Test func `a name is the whole command line, with its path and its interpreter`() {
    let name = "/home/web/.venvs/shop/bin/python3 -u /srv/server.py 80"
    let rows = [process(name, total: (9, 9), moved: (9, 9))]
    #expect(plain(.totals, report(rows)).hasSuffix(" -- \(name)\n\n"))
    var renderer = JSONRenderer(origin: sampleOrigin)
    #expect(renderer.render(.usage(report(rows))).contains("\"name\":\"\(name)\""))
  }

  @Test(arguments: PlainRenderer.Style.allCases)
  func `what is not tracked is no line of the original's`(style: PlainRenderer.Style) {
    let total = Usage(received: 9_000_000, sent: 9)
    let untracked = UsageRow(
      name: UsageRow.untrackedName, subject: .remainder, total: total, moved: total)
    let rows = [process("curl", total: (9_000_000, 9), moved: (9_000_000, 9))]
    let balance = Balance(untracked: total, interfaces: total)
    #expect(plain(style, report(rows + [untracked], balance: balance)) == plain(style, report(rows)))
    #expect(plain(style, report([untracked])) == "")
    // A process may call itself so.
    #expect(
      plain(style, report([process(UsageRow.untrackedName, total: (9_000_000, 9), moved: (9_000_000, 9))]))
        != "")
  }

  @Test func `the first report has no rates`() {
    let rows = [process("curl", total: (9, 9), moved: (3001, 2000))]
    #expect(plain(.rates, report(rows, over: nil)) == "")
    #expect(plain(.totals, report(rows, over: nil)) == "         9 /          9 -- curl\n\n")
  }

  @Test func `applications are shown above one KiB per second in either direction`() {
    let text = plain(
      .applications,
      report([
        application("Web", total: (1, 1), moved: (126_412, 0)),
        application("just not", total: (1, 1), moved: (1024, 1024)),
        application("Mail", total: (1, 1), moved: (0, 1025)),
      ]))
    #expect(
      text == """
              0.00 KiB /       1.00 KiB -- Mail
            123.45 KiB /       0.00 KiB -- Web


        """)
  }

  @Test(arguments: PlainRenderer.Style.allCases)
  func `nothing to show is no line at all`(style: PlainRenderer.Style) {
    #expect(plain(style, report([process("idle", total: (0, 0))])) == "")
    #expect(plain(style, report([])) == "")
  }

  @Test(arguments: PlainRenderer.Style.allCases)
  func `alerts and warnings are not rows`(style: PlainRenderer.Style) {
    var renderer = PlainRenderer(style: style)
    #expect(renderer.render(.alert(alert(.firing))) == "")
    #expect(renderer.render(.warning(Warning(code: "c", text: "t"), at: sampleTime)) == "")
  }

  @Test(arguments: [
    (60, String(repeating: "x", count: 60)), (61, String(repeating: "x", count: 57) + "..."),
    (100_000, String(repeating: "x", count: 57) + "..."),
  ])
  func `a name of more than 60 characters is cut to 57`(length: Int, shown: String) {
    let row = process(String(repeating: "x", count: length), total: (1, 2))
    #expect(plain(.totals, report([row])) == "         1 /          2 -- \(shown)\n\n")
    let group = application(String(repeating: "x", count: length), total: (1, 2), moved: (2048, 0))
    #expect(plain(.applications, report([group])) == "      2.00 KiB /       0.00 KiB -- \(shown)\n\n")
  }

  @Test func `processes with the same command line are one line`() {
    let rows = [
      process("curl", pid: 1, total: (1000, 10), moved: (3, 0)),
      process("b", pid: 2, total: (1500, 0), moved: (1, 0)),
      process("curl", pid: 3, exited: true, total: (1000, 1), moved: (3, 2)),
      UsageRow(
        name: "curl", subject: .remainder, total: Usage(received: 7, sent: 0),
        moved: Usage(received: 0, sent: 0)),
    ]
    #expect(
      plain(.totals, report(rows)) == """
                 7 /          0 -- curl
              1500 /          0 -- b
              2000 /         11 -- curl


        """)
    // 1.5 and 1.5 are 3, not 1 and 1.
    #expect(
      plain(.rates, report(Array(rows.prefix(3)), over: .seconds(2))) == "         3 /          1 -- curl\n\n"
    )
  }

  @Test(arguments: PlainRenderer.Style.allCases)
  func `a hostile name is one printable line`(style: PlainRenderer.Style) {
    let row = application(hostileName, total: (9999, 9999), moved: (9999, 9999))
    let text = plain(style, report([row]))
    #expect(text.hasSuffix("\n\n"))
    #expect(text.dropLast(2).contains("\\e[2J\\n\\t\\r\\u{7}\\u{7f}\\u{9b}"))
    #expect(
      text.dropLast(2).unicodeScalars.allSatisfy { $0.value >= 0x20 && !(0x7f...0x9f).contains($0.value) })
  }

  @Test func `a name is escaped before it is cut`() {
    let row = process(String(repeating: "\n", count: 40), total: (1, 2))
    let shown = String(repeating: "\\n", count: 28) + "\\..."
    #expect(plain(.totals, report([row])) == "         1 /          2 -- \(shown)\n\n")
  }
}
