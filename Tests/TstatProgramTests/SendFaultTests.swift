import Foundation
import Lab
import Testing

/// What is wrong beside a RabbitMQ that is well: tstat_send's configuration, its disk, and the logs.
@Suite(.rabbitServer) struct SendFaultTests {
  private let server: RabbitServer

  init() throws { server = try #require(RabbitServer.current) }

  /// The name of a queue, keys of [rabbit], lines for its end, the status and words of the sentence.
  static let wrong: [(String, [String: String], String, Int32, String)] = [
    ("vhost", ["vhost": "/other"], "", 78, "\"/other\""),
    ("password", ["password": "a-s3cret-word"], "", 78, "refuses the login of \"guest\""),
    ("passive", [:], "declare=passive\n", 78, "has no queue \"passive\""),
    ("original", [:], "[rabbit_queue_options]\npassive=True\n", 78, "has no queue \"original\""),
    ("none", [:], "declare=none\n", 75, "unroutable"),
    ("key", ["exchange": "amq.direct", "routing_key": "nowhere"], "", 75, "unroutable"),
    ("exchange", ["exchange": "missing"], "", 78, "has no exchange \"missing\""),
    ("host", ["host": "no-such-host.invalid"], "", 78, "no-such-host.invalid"),
    ("port", ["port": "1"], "", 75, "does not take a connection"),
    ("tls", ["use_ssl": "yes"], "", 78, "does not agree on TLS"),
  ]

  @Test(arguments: wrong.indices)
  func `what is wrong is said once, and nothing is marked`(index: Int) async throws {
    let (queue, changes, more, status, words) = Self.wrong[index]
    let site = try server.site(queue, changing: changes, more: more)
    try site.makeThree()
    let answer = try await site.run(["-v"])
    #expect(answer.status == .exited(status) && answer.output.isEmpty)
    #expect(answer.complaints.count == 1 && answer.errors.contains(words), "\(answer.errors)")
    #expect(answer.errors.hasSuffix(".\n") && !answer.errors.contains("s3cret"), "\(answer.errors)")
    #expect(site.marked.isEmpty && !site.exists("2024_01_01_00_00.out/.tstat_send"))
    // What only a message shows is not known before there is one.
    let isKnownBefore = !["none", "key", "exchange"].contains(queue)
    let empty = try server.site(queue, changing: changes, more: more)
    for flags in [[], ["--check-config"]] {
      let answer = try await empty.run(flags)
      #expect(answer.status == .exited(isKnownBefore ? status : 0), "\(answer.errors)")
      #expect(answer.complaints.count == (isKnownBefore ? 1 : 0), "\(answer.errors)")
      #expect(answer.errors.contains(words) == isKnownBefore, "\(answer.errors)")
    }
  }

  @Test func `--check-config sends nothing, also beside a run`() async throws {
    let site = try server.site("checked")
    try site.makeThree()
    let answer = try await site.run(["--check-config"])
    #expect(answer.status == .exited(0) && answer.errors.isEmpty, "\(answer.errors)")
    #expect(answer.output == "\(site.config) is valid\n")
    #expect(try await server.count("checked") == 0 && site.marked.isEmpty)
  }

  @Test(.needs(.namespaces))
  func `a full disk is a reason to come again, and nothing is marked too soon`() async throws {
    let site = try server.site("disk")
    try site.make("1.out", tcp: 50 * 40)
    try site.make("2.out", tcp: 1)
    let disk = "\(site.folder.path)/disk"
    let all = try await site.messages()
    // The path is a part of the ids: the logs are where they were, on a disk of a few hundred KiB.
    let script = """
      mkdir \(disk); mount -t tmpfs -o size=1m tmpfs \(disk); cp -r \(site.root)/. \(disk)
      mount --bind \(disk) \(site.root)
      dd if=/dev/zero of=\(site.root)/filler bs=4k 2>/dev/null || true
      set +e
      "$@"; echo "status $?"; find \(site.root) -name '.*' -type f
      "$@" --single; echo "status $?"; find \(site.root) -name '.*' -type f
      echo full; read line; rm \(site.root)/filler
      "$@"; echo "status $?"; cd \(site.root); find . -name '.*' -type f | sort
      """
    let child = try ChildProcess(
      [
        "unshare", "-m", "sh", "-ec", script, "sh", Lab.Program.path("tstat_send"), "-d", site.root, "-c",
        site.config,
      ]
        + ["-T", "0", "--settle", "0", "--window", "8"])
    try await child.output.first("the full disk") { $0 == "full" ? () : nil }
    #expect(child.output.lines == ["status 75", "status 75", "full"], "\(child.errors.text)")
    let complaints = child.errors.lines.filter { !$0.hasPrefix("ts=") }
    #expect(complaints.count == 2, "\(complaints)")
    for line in complaints {
      #expect(
        line.contains("cannot be written: No space left on device. Free some space there"), "\(complaints)")
    }
    child.write("go on\n")
    #expect(try await child.ended() == .exited(0))
    #expect(
      child.output.lines.dropFirst(3) == ["status 0", "./1.out/.processed", "./2.out/.processed"],
      "\(child.errors.text)")
    let received = try await server.drain("disk")
    #expect(Set(received.map(\.id)) == Set(all.map(\.id)) && received.count <= all.count + 16 + 8)
  }

  @Test func `logs that cannot be read or are of no use do not hold the others up`() async throws {
    let site = try server.site("unreadable")
    try site.makeThree()
    let all = try await site.messages()
    for (name, log, target) in [
      ("2023_02_01_00_00.out", "log_tcp_complete", "/nowhere"),
      ("2023_03_01_00_00.out", "log_udp_complete.gz", "/etc/passwd"),
    ] {
      // The other log is good: with the linked one it would be in other messages.
      try site.make(name, tcp: 0, udp: name.contains("_02_") ? 3 : 0)
      try FileManager.default.createSymbolicLink(
        atPath: site.path("\(name)/\(log)"), withDestinationPath: target)
    }
    try site.make("2023_04_01_00_00.out", tcp: 0)
    try site.folder.write("a b c\nd e f\n", to: "logs/2023_04_01_00_00.out/log_tcp_complete")
    let answer = try await site.run()
    #expect(answer.status == .exited(65), "\(answer.errors)")
    #expect(try await server.drain("unreadable").map(\.id) == all.map(\.id))
    for log in ["2023_02_01_00_00.out/log_tcp_complete", "2023_03_01_00_00.out/log_udp_complete.gz"] {
      #expect(answer.errors.contains("\(log) is passed over: links are not followed."), "\(answer.errors)")
    }
    #expect(answer.errors.contains("2023_04_01_00_00.out/log_tcp_complete:1: "), "\(answer.errors)")
    // Not even the one of no use: another version may know its rows.
    #expect(site.marked == ["2024_01_01_00_00.out", "2024_01_01_01_00.out", "2024_01_01_02_00.out"])
  }

  @Test func `a log that this user may not read is sent once it can be read, with all its rows`() async throws
  {
    let site = try server.site("forbidden")
    let name = "2024_01_01_01_00.out"
    try site.make("2024_01_01_00_00.out", tcp: 1)
    try site.make(name, tcp: 50 * 10, udp: 50 * 20)
    try site.make("2024_01_01_02_00.out", tcp: 1)
    let all = try await site.messages()
    let program = try await site.folder.copy(Lab.Program.path("tstat_send"), as: "tstat_send")
    func setMode(_ mode: Int, _ file: String) throws {
      try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: site.path(file))
    }
    try setMode(0o600, "\(name)/log_tcp_complete")
    for folder in ["2024_01_01_00_00.out", name, "2024_01_01_02_00.out"] { try setMode(0o777, folder) }
    func run() async throws -> SendSite.Answer {
      let child = try ChildProcess(
        ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", program]
          + ["-d", site.root, "-c", site.config, "-T", "0", "--settle", "0", "--window", "2"])
      return try await SendSite.answer(child)
    }
    let answer = try await run()
    #expect(answer.status == .exited(65), "\(answer.errors)")
    #expect(
      answer.errors.contains("\(name)/log_tcp_complete cannot be read: Permission denied"), "\(answer.errors)"
    )
    #expect(site.marked == ["2024_01_01_00_00.out", "2024_01_01_02_00.out"])
    var received = try await server.drain("forbidden")
    // What comes after the gap would be other messages when the log can be read.
    #expect(received.count == 1 + 1)
    try setMode(0o644, "\(name)/log_tcp_complete")
    #expect(try await run().status == .exited(0))
    received += try await server.drain("forbidden")
    #expect(Set(all.map(\.id)).isSubset(of: received.map(\.id)))
    #expect(site.marked.count == 3)
  }
}
