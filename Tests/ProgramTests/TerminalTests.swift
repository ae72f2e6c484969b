import Foundation
import Lab
import Testing

/// What a terminal is painted with: in its width and height, and without colours where they are not wanted.
@Suite(.needs(.namespaces), .serialized, .laboratory(), .timeLimit(.minutes(10)))
struct TerminalTests {
  /// runmonitor or runaggregator in a terminal of its own.
  private struct Terminal {
    let process: ChildProcess

    init(_ columns: Int, _ rows: Int, _ program: String, _ flags: [String], colors: Bool, in lab: Topology)
      throws
    {
      let script = URL(filePath: #filePath).deletingLastPathComponent().appending(
        path: "Fixtures/terminal.py"
      )
      .path
      process = try lab.a.start(
        ["python3", script, "\(columns)", "\(rows)", Program.path(program), "--no-namespaces"]
          + ["--interval", "0.1"] + flags, environment: colors ? [:] : ["NO_COLOR": "1"])
    }

    /// The frames so far but for one that is being painted; each is the lines of a screen.
    var frames: [[String]] {
      process.output.text.split(separator: "\u{1b}[H").filter { $0.contains("\u{1b}[J") }.map { frame in
        frame.replacing("\u{1b}[J", with: "").replacing("\u{1b}[K", with: "").split(
          separator: "\r\n", omittingEmptySubsequences: false
        ).map(String.init)
      }
    }

    /// Waits for a frame with which `isWanted` agrees.
    @discardableResult
    func frame(_ awaited: String, where isWanted: ([String]) -> Bool) async throws -> [String] {
      let state = { process.output.text.suffix(500).debugDescription + process.errors.text }
      return try await eventually(awaited, state: state) { frames.first(where: isWanted) }
    }
  }

  /// Clients of A that have moved something, held open.
  private func withClients(_ body: (Topology) async throws -> Void) async throws {
    let lab = try await MonitorAccountingTests.readyTopology()
    let server = try Traffic("tcp-serve", in: lab.b)
    let port = try await server.ready()
    var clients: [Traffic] = []
    for note in ["plain", String(repeating: "long", count: 200), "日本語👩‍👩‍👧e\u{301}\u{1b}[31m\u{202e}"] {
      let arguments = ["tcp", "10.77.1.2", "\(port)", "--send", "100000", "--hold", "--note", note]
      clients.append(try Traffic(arguments, in: lab.a))
      _ = try await clients.last?.counted()
    }
    try await body(lab)
    for traffic in clients + [server] { try await traffic.finish() }
  }

  private static var emphasis: Regex<Substring> { #/\u{1b}\[\d*m/# }

  @Test(arguments: ["runmonitor", "runaggregator"], [true, false])
  func `a frame fits, and nothing but wanted emphasis moves the terminal`(program: String, colors: Bool)
    async throws
  {
    try await withClients { lab in
      for (columns, rows) in [(1, 1), (20, 6), (40, 10), (80, 24), (200, 60)] {
        let terminal = try Terminal(columns, rows, program, ["--count", "3"], colors: colors, in: lab)
        #expect(try await terminal.process.ended() == .exited(0), "\(terminal.process.errors.text)")
        let frames = terminal.frames
        // The last is followed by a line feed.
        #expect(frames.count == 3 && frames.allSatisfy { $0.count <= rows + 1 })
        #expect(frames.joined().contains { $0.contains(Self.emphasis) } == (colors && rows > 1))
        for line in frames.joined().map({ $0.replacing(Self.emphasis, with: "") }) {
          #expect(
            Self.columns(of: line) <= columns && line.allSatisfy { !Self.isHarmful($0) },
            "\(line.debugDescription)")
        }
        #expect(rows < 24 || frames[0].contains { $0.contains("TOTAL") })
        // What is wide was there, and whole.
        #expect(columns < 200 || frames[0].contains { $0.contains("日本語") })
        #expect(columns < 200 || frames[0].count { $0.contains("--note") } == 3)
      }
    }
  }

  /// A line a hop, and colour for loss; -j is the original's JSON there, too.
  @Test(arguments: ["table", "without colour", "-j"])
  func `connvitals has a table on a terminal`(way: String) async throws {
    let lab = try await Topology()
    let script = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures/terminal.py")
    let child = try lab.a.start(
      ["python3", script.path, "100", "30", Program.path("connvitals"), "-t", "-p", "1", "--timeout", "1"]
        + (way == "-j" ? ["-j"] : []) + ["10.77.1.2", "10.77.1.99"],
      environment: way == "without colour" ? ["NO_COLOR": "1"] : [:])
    #expect(try await child.ended() == .exited(0), "\(child.errors.text)")
    let text = child.output.text
    #expect(text.contains("\u{1b}[") == (way == "table"), "\(text.debugDescription)")
    #expect(text.contains("\u{1b}[31m") == (way == "table"), "\(text.debugDescription)")
    if way == "-j" {
      #expect(text.split(separator: "\r\n").allSatisfy { $0.hasPrefix("{\"addr\":") }, "\(text)")
    } else {
      #expect(
        text.split(separator: "\r\n").contains { $0.contains("trace") && $0.contains("10.77.1.2") },
        "\(text.debugDescription)")
    }
  }

  /// East Asian wide characters and emoji, of the blocks that the names here are from, take two columns (UAX #11).
  private static func columns(of line: String) -> Int {
    line.reduce(0) { sum, character in
      let isWide = character.unicodeScalars.contains {
        (0x1100...0x115f).contains($0.value) || (0x2e80...0xa4cf).contains($0.value)
          || (0xac00...0xd7a3).contains($0.value) || (0xff00...0xff60).contains($0.value)
          || $0.properties.isEmojiPresentation
      }
      return sum + (isWide ? 2 : 1)
    }
  }

  private static func isHarmful(_ character: Character) -> Bool {
    character.unicodeScalars.contains {
      [.control, .format, .lineSeparator, .paragraphSeparator].contains($0.properties.generalCategory)
    }
  }

  @Test func `a terminal that changes its size is painted in the new one`() async throws {
    try await withClients { lab in
      let terminal = try Terminal(80, 24, "runmonitor", [], colors: false, in: lab)
      func fills(_ columns: Int, _ frame: [String]) -> Bool {
        frame.contains { $0.contains("…") } && frame.map(\.count).max() == columns
      }
      try await terminal.frame("80 columns") { fills(80, $0) }
      for columns in [40, 120] {
        terminal.process.write("\(columns) 24\n")
        try await terminal.frame("\(columns) columns") { fills(columns, $0) }
      }
      #expect(try await terminal.process.stop() == .exited(0))
      #expect(terminal.frames.suffix(1).allSatisfy { fills(120, $0) })
    }
  }
}
