import Lab
import Testing

/// A36, A37: processes whose names come from strangers, and the same program under two users.
@Suite(
  .needs(.namespaces), .serialized, .laboratory(), .eachWitness, .sayingTheWitness, .timeLimit(.minutes(20)))
struct MonitorNameTests {
  /// How a process gets its name.
  struct Disguise: Sendable, CustomTestStringConvertible {
    let testDescription: String
    /// The file's name, of which comm is the first 15 bytes.
    var file = "traffic"
    /// An expression of bash for argv[0].
    var title: String?
    var note = ""
    var isDeleted = false
    /// Part of the name that a report must have.
    var shows = ""
  }

  static let disguises = [
    Disguise(testDescription: "plain", shows: "tcp 10.77.1.2"),
    Disguise(
      testDescription: "fifteen characters and more", file: "a-program-with-a-long-name", shows: "long-name"),
    Disguise(testDescription: "a comm like a stat line", file: "x) R 1 1 1 (y", shows: "R 1 1 1"),
    Disguise(testDescription: "a comm with a line feed", file: "one\ntwo\rthree", shows: "two"),
    Disguise(testDescription: "escape sequences", file: "\u{1b}[31mred\u{7}\u{1b}]0;t\u{7}", shows: "red"),
    Disguise(testDescription: "C1 and right-to-left marks", file: "a\u{9b}31m\u{202e}b", shows: "31m"),
    Disguise(testDescription: "quotes and backslashes", file: #"a"b\c'd$(id)"#, shows: "c'd$(id)"),
    Disguise(testDescription: "other scripts", file: "прокси-日本", shows: "日本"),
    Disguise(testDescription: "invalid UTF-8", title: #"$'ab\xff\xfe\xc3cd'"#, shows: "cd"),
    Disguise(testDescription: "an empty argv[0]", title: "''", shows: "tcp 10.77.1.2"),
    Disguise(testDescription: "only spaces", title: "'   '", shows: "tcp 10.77.1.2"),
    Disguise(
      testDescription: "100 kB of arguments", note: String(repeating: "x", count: 100_000), shows: "xxx"),
    Disguise(testDescription: "a deleted file", isDeleted: true, shows: "tcp 10.77.1.2"),
  ]

  @Test(arguments: disguises)
  func `a hostile name is shown safely`(disguise: Disguise) async throws {
    let lab = try await MonitorAccountingTests.readyTopology()
    let server = try Traffic("tcp-serve", in: lab.b)
    let port = try await server.ready()
    let folder = try ScratchFolder()
    let file = try await folder.copy(Program.traffic, as: disguise.file)
    var arguments = ["tcp", "10.77.1.2", "\(port)", "--send", "100000", "--hold"]
    if !disguise.note.isEmpty { arguments += ["--note", disguise.note] }
    let wrapper = disguise.title.map { ["bash", "-c", "exec -a \($0) \"$@\"", "bash"] } ?? []
    let client = try Traffic(arguments, in: lab.a, wrapper: wrapper, program: file)
    _ = try await client.counted()
    if disguise.isDeleted { try await run(["rm", file]) }
    let truth = try await lab.viewOfA()

    let monitor = try Reporter(in: lab.a)
    let report = try await monitor.report("\(truth)") { $0.usage(pid: client.pid) == truth }
    let name = try #require(report.row(pid: client.pid)?.name)
    #expect(name.contains(disguise.shows))
    try await monitor.stop()
    for format in ["json", "plain", "table"] {
      let way = EachWitness.way.map { ["--witness", $0] } ?? []
      let text = try await lab.a.run(
        [Program.path("runmonitor"), "--count", "1", "--format", format] + way)
      #expect(text.unicodeScalars.allSatisfy { !Self.isHarmful($0) }, "\(format): \(text.debugDescription)")
      #expect(
        text.split(separator: "\n").count(where: {
          $0.contains(format == "json" ? "\"rows\"" : "tcp") || $0.contains("--") || format == "table"
        }) >= 1)
    }
    try await client.finish()
    try await server.finish()
  }

  /// What a terminal would obey, or what would turn its text around.
  private static func isHarmful(_ scalar: Unicode.Scalar) -> Bool {
    let categories: [Unicode.GeneralCategory] = [.control, .format, .lineSeparator, .paragraphSeparator]
    return scalar != "\n" && categories.contains(scalar.properties.generalCategory)
  }

  @Test func `one program under two users is two rows`() async throws {
    let lab = try await MonitorAccountingTests.readyTopology()
    let server = try Traffic("tcp-serve", in: lab.b)
    let port = try await server.ready()
    let line = "tcp 10.77.1.2 \(port) --send 500000 --hold"
    let root = try Traffic(line, in: lab.a)
    // A copy that everybody may run, wherever the build lies.
    let folder = try ScratchFolder()
    let file = try await folder.copy(Program.traffic, as: "traffic")
    let nobody = try Traffic(
      line, in: lab.a, wrapper: "setpriv --reuid 65534 --regid 65534 --clear-groups", program: file)
    _ = try await (root.counted(), nobody.counted())
    let monitor = try Reporter(in: lab.a)
    let report = try await monitor.report("both") {
      $0.row(pid: root.pid) != nil && $0.row(pid: nobody.pid) != nil
    }
    #expect(report.row(pid: root.pid)?.uid == 0)
    #expect(report.row(pid: nobody.pid)?.uid == 65534)
    try await monitor.stop()
    for traffic in [root, nobody, server] { try await traffic.finish() }
  }
}
