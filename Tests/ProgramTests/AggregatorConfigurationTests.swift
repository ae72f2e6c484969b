import Lab
import Testing

/// Files of runaggregator: what is wrong is said with its line before anything starts.
@Suite struct AggregatorConfigurationTests {
  private static let program = Program.path("runaggregator")

  /// A wrong file and what must be said of it.
  struct Mistake: Sendable, CustomTestStringConvertible {
    let flag: String
    let text: String
    let line: Int
    var says = ""

    var testDescription: String { "\(flag) \(text.debugDescription)" }
  }

  static let mistakes = [
    Mistake(flag: "--app-config", text: "[Web]\ncurl=curl|wget\nBad=(\n", line: 3, says: "Bad"),
    Mistake(flag: "--app-config", text: "[Web]\nx=[z-a]\n", line: 2),
    Mistake(flag: "--app-config", text: "Web=curl\n", line: 1),
    Mistake(flag: "--app-config", text: "[Web]\nnonsense\n", line: 2),
    Mistake(flag: "--app-config", text: "[Web]\nx=\n", line: 2, says: "regular expression"),
    Mistake(flag: "--monitor-config", text: "[m]\ntype=monitr\n", line: 2, says: "monitor"),
    Mistake(flag: "--monitor-config", text: "[m]\ninclude=x\n", line: 1, says: "type"),
    Mistake(
      flag: "--monitor-config", text: "[m]\ntpye=monitor\n", line: 2,
      says: #"unknown key "tpye" in [m] (did you mean type?)"#),
    Mistake(
      flag: "--monitor-config", text: "[m]\ntype=monitor\ninclude=curl\n exclude=wget\n", line: 3,
      says: "indented"),
    Mistake(
      flag: "--notification-config", text: "[n]\nin_threshold=5\nprocess_filter=x\n for=5\n", line: 3,
      says: "indented"),
    Mistake(flag: "--monitor-config", text: "[m]\ntype=monitor\ninlcude=x\n", line: 3, says: "include"),
    Mistake(flag: "--monitor-config", text: "[m]\ntype=monitor\ninclude=*\n", line: 3),
    Mistake(flag: "--monitor-config", text: "[m]\ntype=monitor\nignorelocal=perhaps\n", line: 3),
    Mistake(flag: "--monitor-config", text: "[m]\ntype=monitor\nexcludetunnels=2\n", line: 3),
    Mistake(
      flag: "--notification-config", text: "[n]\nprocess_filter=x\nin_treshold=50\n", line: 3,
      says: "in_threshold"),
    Mistake(flag: "--notification-config", text: "[n]\nprocess_filter=x\nin_threshold=much\n", line: 3),
    Mistake(flag: "--notification-config", text: "[n]\nprocess_filter=(\nin_threshold=5\n", line: 2),
    Mistake(flag: "--notification-config", text: "[n]\nprocess_filter=x\nout_threshold=-1\n", line: 3),
    Mistake(flag: "--notification-config", text: "[n]\nin_threshold=5\ninterval=0\n", line: 3),
    Mistake(
      flag: "--notification-config", text: "[n]\nin_threshold=5\nmail_config=/nosuch/mail.json\n", line: 3,
      says: "/nosuch/mail.json: No such file or directory. Check the path"),
    Mistake(flag: "--app-config", text: "", line: 1, says: "shortname=REGEX"),
    Mistake(flag: "--monitor-config", text: "\n# nothing\n", line: 1, says: "type=monitor"),
    Mistake(flag: "--notification-config", text: "# nothing yet\n", line: 1, says: "threshold"),
    Mistake(flag: "--notification-config", text: "[n\nin_threshold=5\n", line: 1),
  ]

  @Test(arguments: mistakes, [true, false])
  func `a wrong file is 78, with its line`(mistake: Mistake, checking: Bool) async throws {
    let folder = try ScratchFolder()
    let file = try folder.write(mistake.text, to: "bad.cfg")
    let flags = [mistake.flag, file] + (checking ? ["--check-config"] : ["--count", "1"])
    let child = try ChildProcess([Self.program] + flags)
    #expect(try await child.ended() == .exited(78), "\(child.errors.text)")
    #expect(child.output.text.isEmpty)
    #expect(child.errors.text.contains("\(file):\(mistake.line): "), "\(child.errors.text)")
    #expect(child.errors.text.contains(mistake.says), "\(child.errors.text)")
  }

  @Test(arguments: ["--app-config", "--monitor-config", "--notification-config"])
  func `a file that is not there is 78`(flag: String) async throws {
    let child = try ChildProcess([Self.program, flag, "/nonexistent/bwmon.cfg", "--check-config"])
    #expect(try await child.ended() == .exited(78))
    #expect(child.errors.text.contains("/nonexistent/bwmon.cfg"))
  }

  @Test func `hostile bytes in a file are an error, not a crash`() async throws {
    let folder = try ScratchFolder()
    for text in [
      "\0\0\0", "[Web]\nx=\u{1b}[31m(\n", String(repeating: "[", count: 100_000), "[]\n=\n",
    ] {
      let file = try folder.write(text, to: "hostile.cfg")
      let child = try ChildProcess([Self.program, "--app-config", file, "--check-config"])
      #expect(try await child.ended() == .exited(78))
      #expect(!child.errors.text.contains("\u{1b}"))
      #expect(child.errors.text.utf8.count < 4000)
    }
  }

  @Test func `a type may be written in any case`() async throws {
    let folder = try ScratchFolder()
    let text =
      "[a]\ntype=Monitor\n[b]\ntype=PIPE\nport=8080\nnewhost=192.0.2.1\n[c]\ntype=Ping\nhost=192.0.2.1\n"
      + "[d]\ntype=tRACE\nhost=192.0.2.1\n[e]\ntype=Scan\nhost=192.0.2.1\n"
      + "[f]\ntype=Connect\nhost=192.0.2.1\nport=53\n"
    let file = try folder.write(text, to: "m.cfg")
    let child = try ChildProcess([Self.program, "--check-config", "--monitor-config", file])
    #expect(try await child.ended() == .exited(0), "\(child.errors.text)")
    // A file of the wrong flag is recognised as well.
    let wrong = try ChildProcess([
      Self.program, "--check-config", "--app-config", try folder.write("[a]\ntype=Ping\n", to: "a.cfg"),
    ])
    #expect(try await wrong.ended() == .exited(0))
    #expect(wrong.errors.text.contains("--monitor-config"), "\(wrong.errors.text)")
  }

  @Test func `the check says what is wrong with each file`() async throws {
    let folder = try ScratchFolder()
    let apps = try folder.write("[Web]\nBad=(\n", to: "a.cfg")
    let monitors = try folder.write("[m]\ntype=monitor\ninclude=a\ninclude=b\n", to: "m.cfg")
    let rules = try folder.write("[n]\nin_treshold=5\n", to: "n.cfg")
    let child = try ChildProcess([
      Self.program, "--check-config", "--app-config", apps, "--monitor-config", monitors,
      "--notification-config", rules,
    ])
    #expect(try await child.ended() == .exited(78))
    let places = ["error: \(apps):2: ", "warning: \(monitors):4: ", "error: \(rules):2: "]
    let lines = child.errors.lines
    #expect(
      lines.count == 3 && zip(lines, places).allSatisfy { $0.hasPrefix("runaggregator: \($1)") }, "\(lines)")
    #expect(child.output.text.isEmpty)
  }

  @Test func `right files pass the check, which needs no privilege`() async throws {
    let folder = try ScratchFolder()
    let apps = try folder.write("# who is who\n[Web]\nx = curl|wget\n[Mail]\ny: postfix\n", to: "a.cfg")
    let monitors = try folder.write("[all]\ntype=monitor\nignorelocal=true\nexcludetunnels=on\n", to: "m.cfg")
    let rules = try folder.write(
      """
      [web]
      process_filter=Web
      in_threshold=50
      out_threshold=10.5
      interval=10
      for=5
      in_clear=40
      repeat=60
      on_resolve=yes
      command_timeout=5
      notification_command=mail -s "Web exceeding" root

      """, to: "n.cfg")
    let copy = try await CopyForEveryone(of: "runaggregator")
    let child = try ChildProcess([
      "setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", copy.path, "--app-config", apps,
      "--monitor-config", monitors, "--notification-config", rules, "--check-config",
    ])
    #expect(try await child.ended() == .exited(0), "\(child.errors.text)")
  }

  /// A file that can be read and is most likely not meant so, and the line that is warned of.
  static let slips = [
    Mistake(flag: "--app-config", text: "[Web]\nx=^nginx$   # the web server\n", line: 2, says: "[#]"),
    Mistake(flag: "--app-config", text: "[Web]\nx=a\nx=b\n", line: 3, says: "line 2"),
    Mistake(flag: "--app-config", text: "[Web]\nx=a\n[Web]\ny=b\n", line: 3, says: "line 1"),
    Mistake(flag: "--app-config", text: "[Web]\n[Mail]\ny=b\n", line: 1, says: "no rule"),
    Mistake(flag: "--app-config", text: "[m]\ntype=monitor\n", line: 2, says: "--monitor-config"),
    Mistake(flag: "--app-config", text: "[gw]\nhost=gw\ntype=ping\n", line: 3, says: "--monitor-config"),
    Mistake(flag: "--app-config", text: "[n]\nin_threshold=5\n", line: 2, says: "--notification-config"),
    Mistake(flag: "--monitor-config", text: "[m]\ntype=monitor\ninclude=curl # x\n", line: 3, says: "[#]"),
    Mistake(flag: "--monitor-config", text: "[m]\ntype=monitor\nexclude=%(x)s\n", line: 3, says: "%("),
    Mistake(
      flag: "--notification-config", text: "[n]\nin_threshold=5\nprocess_filter=a # b\n", line: 3, says: "[#]"
    ),
    Mistake(
      flag: "--notification-config", text: "[n]\nin_threshold=5 ; x\nin_threshold=6\n", line: 3,
      says: "line 2"),
    Mistake(
      flag: "--notification-config", text: "[n]\nin_threshold=5\nnotification_command=/nonexistent/x\n",
      line: 3,
      says: "is not there"),
    Mistake(
      flag: "--notification-config",
      text: "[DEFAULT]\nnotification_command=cat > /tmp/x\n[n]\nin_threshold=5\n[o]\nin_threshold=5\n",
      line: 2,
      says: "no shell"),
  ]

  @Test(arguments: slips)
  func `a slip is one warning with its line`(slip: Mistake) async throws {
    let folder = try ScratchFolder()
    let file = try folder.write(slip.text, to: "slip.cfg")
    let child = try ChildProcess([Self.program, slip.flag, file, "--check-config"])
    #expect(try await child.ended() == .exited(0), "\(child.errors.text)")
    #expect(child.errors.lines.count == 1, "\(child.errors.text)")
    #expect(
      child.errors.text.hasPrefix("runaggregator: warning: \(file):\(slip.line): "), "\(child.errors.text)")
    #expect(child.errors.text.contains(slip.says), "\(child.errors.text)")
  }

  @Test func `explain names the application, the file and the line`() async throws {
    let folder = try ScratchFolder()
    let apps = try folder.write(
      "[Mail]\npost=postfix\n# the web\n[Web]\ncurl=curl|wget\n[Other]\nany=.\n", to: "apps.cfg")
    for (line, name, place) in [
      ("curl -s http://h/", "Web", "5: curl="), ("/usr/lib/postfix/master", "Mail", "2: post="),
      ("x", "Other", "7: any="),
    ] {
      let text = try await run([Self.program, "--app-config", apps, "--explain", line])
      #expect(text.hasPrefix(name + ": "), "\(text)")
      #expect(text.contains("\(apps):\(place)"), "\(text)")
    }
  }

  @Test(arguments: [
    ["--nonsense"], ["--interval", "0"], ["--count", "x"], ["--format", "xml"], ["--app-config"],
    ["--explain"], ["--check-config"],
    ["surplus"],
  ])
  func `a wrong flag is 64`(flags: [String]) async throws {
    let child = try ChildProcess([Self.program] + flags)
    #expect(try await child.ended() == .exited(64))
    #expect(child.output.text.isEmpty)
    #expect(!child.errors.text.isEmpty)
  }
}
