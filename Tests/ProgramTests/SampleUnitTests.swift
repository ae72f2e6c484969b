import Foundation
import Lab
import Testing

/// The units of `samples/`, and that no file there goes without a test.
@Suite(.needs(.namespaces), .serialized, .laboratory(), .timeLimit(.minutes(10)))
struct SampleUnitTests {
  private static let services = [
    "connmonitor.service", "netconnmon.service", "runaggregator.service", "runmonitor.service",
    "runpipe.service", "tstat_cull.service", "tstat_send.service",
  ]
  private static let documents = "file:///usr/local/share/doc/bwmon/"

  /// What makes systemd set NoNewPrivileges for a service that is not root's (systemd.exec(5)).
  private static let impliesNoNewPrivileges = [
    "DynamicUser", "LockPersonality", "MemoryDenyWriteExecute", "PrivateDevices", "ProtectClock",
    "ProtectHostname",
    "ProtectKernelLogs", "ProtectKernelModules", "ProtectKernelTunables", "RestrictAddressFamilies",
    "RestrictNamespaces", "RestrictRealtime", "RestrictSUIDSGID", "SystemCallArchitectures",
    "SystemCallFilter",
    "SystemCallLog",
  ]

  @Test func `every sample is loaded by a test`() throws {
    let loaded =
      Self.services + [
        "runpipe.socket", "bwmon.sysusers", "connmonitor.conf", "group.sample.cfg", "monitors.sample.cfg",
        "notifications.sample.cfg", "publish.sample.cfg", "sendMailConfig.sample.json", "tstat_cull.timer",
        "tstat_send.sample.ini", "tstat_send.timer",
      ]
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: SampleUnit.folder).sorted() == loaded.sorted())
  }

  @Test(arguments: services)
  func `systemd takes every line of it, and its manual is installed`(name: String) async throws {
    let folder = try ScratchFolder()
    let text = try String(contentsOfFile: "\(SampleUnit.folder)/\(name)", encoding: .utf8)
    let installed = try #require(try SampleUnit(name).command.first)
    let built = Program.path(URL(filePath: installed).lastPathComponent)
    try folder.write(text.replacing(installed, with: built), to: name)
    _ = try await folder.copy("\(SampleUnit.folder)/runpipe.socket", as: "runpipe.socket")
    let timer = name.replacing(".service", with: ".timer")
    let hasTimer = FileManager.default.fileExists(atPath: "\(SampleUnit.folder)/\(timer)")
    if hasTimer { _ = try await folder.copy("\(SampleUnit.folder)/\(timer)", as: timer) }
    let units = ([name] + (hasTimer ? [timer] : [])).map { "\(folder.path)/\($0)" }
    let verify = try ChildProcess(["systemd-analyze", "verify", "--man=no"] + units)
    #expect(try await verify.ended() == .exited(0))
    // A key that it does not know is only a line.
    #expect(verify.errors.text.isEmpty)
    let manual = try #require(try SampleUnit(name)["Documentation"])
    #expect(manual.hasPrefix(Self.documents))
    let file = "\(SampleUnit.root)/\(manual.dropFirst(Self.documents.count))"
    #expect(FileManager.default.fileExists(atPath: file), "\(file)")
  }

  /// Those that read a file again at SIGHUP.
  @Test(arguments: ["connmonitor.service", "netconnmon.service", "runaggregator.service"])
  func `systemctl reload has its file read again`(name: String) throws {
    #expect(try SampleUnit(name)["ExecReload"] == "/bin/kill -HUP $MAINPID")
  }

  @Test func `systemd makes the user that the aggregator's unit names`() async throws {
    let folder = try ScratchFolder()
    try await run(["mkdir", "\(folder.path)/etc"])
    try await run(["systemd-sysusers", "--root=\(folder.path)", "\(SampleUnit.folder)/bwmon.sysusers"])
    let user = try #require(try SampleUnit("runaggregator.service")["User"])
    #expect(folder.read("etc/passwd").hasPrefix("\(user):"))
    #expect(folder.read("etc/passwd").hasSuffix("nologin\n"))
  }

  @Test(arguments: ["runaggregator", "runmonitor"])
  func `the unit's command measures, as its user and with its capabilities`(program: String) async throws {
    let unit = try SampleUnit("\(program).service")
    #expect(unit.command.first == "/usr/local/bin/\(program)")
    let folder = try await samples()
    let copy = try await CopyForEveryone(of: program)
    let namespace = try await NetworkNamespace()
    let child = try namespace.start(
      unit.wrapper + [copy.path] + unit.flags(filesIn: folder.path) + ["--no-namespaces", "--count", "1"])
    #expect(try await child.ended() == .exited(0), "\(child.errors.text)")
    #expect(try child.output.lines.compactMap { try Report(line: $0) }.count == 1)
    #expect(try await namespace.sysctl("net.netfilter.nf_conntrack_acct") == "0")
  }

  @Test func `connmonitor's unit writes its file once, and probes with CAP_NET_RAW alone`() async throws {
    let unit = try SampleUnit("connmonitor.service")
    let installed = "/var/run/connmonitor.conf"
    #expect(unit.command == ["/usr/local/bin/connmonitor", installed])
    #expect(unit["StandardOutput"] == "append:/var/log/connmonitor.log")
    #expect(unit["StandardError"] == "append:/var/log/connmonitor.err")
    let folder = try ScratchFolder()
    let file = "\(folder.path)/connmonitor.conf"
    let shell = "+/bin/sh -c "
    let prepare = try #require(unit["ExecStartPre"])
    #expect(prepare.hasPrefix(shell + "'") && prepare.hasSuffix("'"))
    let script = String(prepare.dropFirst(shell.count + 1).dropLast()).replacing(installed, with: file)
    try await run(["sh", "-c", script])
    #expect(folder.read("connmonitor.conf") == "localhost trace=5000 scan=5000 json=True\n")
    try folder.write("127.0.0.1 trace=5000 scan=5000 json=True\n", to: "connmonitor.conf")
    try await run(["sh", "-c", script])
    #expect(folder.read("connmonitor.conf").hasPrefix("127.0.0.1 "))
    let copy = try await CopyForEveryone(of: "connmonitor")
    let namespace = try await NetworkNamespace()
    try await namespace.setSysctl("net.ipv4.ping_group_range", to: "1 0")
    let child = try namespace.start(unit.wrapper + [copy.path, file])
    for kind in ["ping", "trace", "scan"] {
      try await child.output.first("a \(kind)") { $0.contains("\"\(kind)\":") ? () : nil }
    }
    #expect(try await child.stop() == .exited(0))
    #expect(
      child.errors.lines.allSatisfy { $0.hasPrefix("WW: Could not connect to ") }, "\(child.errors.text)")
    #expect(child.output.text.contains("\"loss\":0.000000"))
  }

  @Test(arguments: [(added: [], group: "8"), (added: ["--no-new-privs"], group: "65534")])
  func `a command of the aggregator's unit gets the group of a set-group program`(
    added: [String], group: String
  ) async throws {
    let unit = try SampleUnit("runaggregator.service")
    for key in Self.impliesNoNewPrivileges { #expect(unit[key] == nil, "\(key)") }
    #expect(unit["NoNewPrivileges"] == "no")
    let lab = try await MonitorAccountingTests.readyTopology()
    let server = try Traffic("tcp-serve", in: lab.b)
    let port = try await server.ready()
    let folder = try await samples()
    let sender = try await folder.copy("/usr/bin/id", as: "sender")
    try await run(["chown", "root:8", sender])
    try await run(["chmod", "2755", sender])
    try folder.write(
      "[any]\nout_threshold=1\nnotification_command=\(sender) -g\n", to: "notifications.sample.cfg")
    let copy = try await CopyForEveryone(of: "runaggregator")
    let child = try lab.a.start(
      unit.wrapper + added + [copy.path] + unit.flags(filesIn: folder.path)
        + ["--no-namespaces", "--interval", "0.1"])
    let reporter = Reporter(process: child)
    try await reporter.report("a first report")
    let drip = try Traffic("tcp 10.77.1.2 \(port) --rate 100000 --send 100000000 --hold", in: lab.a)
    let said = try await eventually("the command's line", state: { reporter.state }) {
      child.errors.lines.first { Int($0) != nil }
    }
    #expect(said == group)
    drip.process.signal(9)
    #expect(try await child.stop() == .exited(0))
  }

  /// The configuration files, where every user may read them.
  private func samples() async throws -> ScratchFolder {
    let folder = try ScratchFolder()
    for name in ["group", "notifications"] {
      let file = "\(name).sample.cfg"
      _ = try await folder.copy("\(SampleUnit.folder)/\(file)", as: file)
    }
    return folder
  }
}
