import Glibc
import Lab
import Testing

/// What the programs keep of root's privileges, on every thread, and that they still do their work.
@Suite(.needs(.namespaces), .serialized, .laboratory(), .timeLimit(.minutes(10)))
struct LeastPrivilegeTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var program = "runmonitor"
    var flags: [String] = []
    var namespaces = false
    var isSensor = false
    var kept: UInt64
    var listens = true
  }

  static let cases = [
    Case(testDescription: "runmonitor", kept: Privileges.measuring),
    Case(
      testDescription: "runmonitor --namespaces", namespaces: true,
      kept: Privileges.measuring | Privileges.system),
    Case(
      testDescription: "runmonitor --enable-tracking", flags: ["--enable-tracking"],
      kept: Privileges.measuring),
    Case(
      testDescription: "runmonitor --source procfs", flags: ["--source", "procfs"],
      kept: Privileges.measuring, listens: false),
    Case(
      testDescription: "runaggregator", program: "runaggregator", kept: 0, listens: false),
    Case(
      testDescription: "its sensor", program: "runaggregator", isSensor: true, kept: Privileges.measuring),
    Case(
      testDescription: "its sensor with --source procfs", program: "runaggregator",
      flags: ["--source", "procfs"],
      isSensor: true, kept: Privileges.measuring, listens: false),
    Case(
      testDescription: "its sensor with --namespaces", program: "runaggregator", namespaces: true,
      isSensor: true, kept: Privileges.measuring | Privileges.system),
    Case(
      testDescription: "its sensor with --witness lookup", program: "runaggregator",
      flags: ["--witness", "lookup"], isSensor: true, kept: Privileges.measuring),
    Case(
      testDescription: "its sensor with --witness bpf-5.8", program: "runaggregator",
      flags: ["--witness", "bpf-5.8"], isSensor: true, kept: Privileges.measuring),
    Case(
      testDescription: "runaggregator with pipes", program: "runaggregator",
      flags: ["--monitor-config", "PIPES"],
      kept: Privileges.forwarding | Privileges.probing | Privileges.files, listens: false),
    Case(
      testDescription: "runpipe", program: "runpipe", flags: ["907", "127.0.0.1", "908"],
      kept: Privileges.forwarding, listens: false),
    Case(
      testDescription: "runpipe --clients", program: "runpipe",
      flags: ["907", "127.0.0.1", "908", "--clients"], kept: Privileges.forwarding | Privileges.naming,
      listens: false),
  ]

  @Test(arguments: cases) func `nothing but what is needed is kept, on any thread`(row: Case) async throws {
    let lab = try await MonitorAccountingTests.readyTopology()
    let folder = try ScratchFolder()
    let pipes = try folder.write("[low]\ntype=pipe\nport=907\nnewhost=127.0.0.1\nnewport=908\n", to: "pipes")
    let reporter = try Reporter(
      row.flags.map { $0 == "PIPES" ? pipes : $0 }, program: row.program, in: lab.a,
      namespaces: row.namespaces)
    try await reporter.report("a first report")
    let pid = row.isSensor ? try reporter.sensor().pid : reporter.process.pid
    let ours = Privileges.ownAsRoot
    let kept = ours.permitted & row.kept
    var expected = ours
    expected.effective = kept
    expected.permitted = kept
    expected.inheritable = 0
    expected.bounding = kept
    expected.ambient = 0
    expected.noNewPrivileges = true
    expected.isFenced = true
    let others = try Privileges.ofThreads(pid) { $0 != Privileges.listener }
    #expect(Set(others) == [expected])
    // Where no limit lets it come first, the thread that listens keeps what does.
    let isByLimit = ours.permitted & Privileges.resources != 0
    if !isByLimit { expected.add(ours.permitted & Privileges.scheduling) }
    let listeners = try Privileges.ofThreads(pid) { $0 == Privileges.listener }
    #expect(listeners == (row.listens ? [expected] : []))
    // SCHED_FIFO, which is 1, as soon as it runs.
    if row.listens, isByLimit || ours.permitted & Privileges.scheduling != 0 {
      try await eventually("its priority") {
        try Privileges.policies(pid, of: Privileges.listener) == [1] ? () : nil
      }
    }
    if let place = row.flags.firstIndex(of: "--witness") {
      let threads = try Privileges.ofThreads(pid) { $0 == "witness" }
      #expect(threads.count == (row.flags[place + 1] == "lookup" ? 0 : 1))
    }
    let said = reporter.process.errors.text
    #expect(!said.contains("giving up") && !said.contains("seccomp"), "\(said)")
    try await reporter.stop()
  }

  @Test func `a thread that listens only after a reload has what lets it come first`() async throws {
    let lab = try await MonitorAccountingTests.readyTopology()
    let folder = try ScratchFolder()
    let pipe = "[low]\ntype=pipe\nport=907\nnewhost=127.0.0.1\nnewport=908\n"
    let path = try folder.write(pipe, to: "monitors")
    let reporter = try Reporter(["--monitor-config", path], program: "runaggregator", in: lab.a)
    try await reporter.report("a first report")
    // Without a monitor nobody would take what a sensor tells.
    #expect(throws: LabError.self) { try reporter.sensor() }
    _ = try folder.write(pipe + "[all]\ntype=monitor\n", to: "monitors")
    reporter.process.signal(SIGHUP)
    let late = try await eventually("a thread that listens") {
      (try? reporter.sensor()).flatMap { sensor in
        try? Privileges.ofThreads(sensor.pid) { $0 == Privileges.listener }.first(where: \.isFenced)
      }
    }
    let ours = Privileges.ownAsRoot
    let kept = ours.permitted & Privileges.measuring
    let priority = ours.permitted & Privileges.resources == 0 ? ours.permitted & Privileges.scheduling : 0
    #expect(late.effective == kept | priority && late.permitted == kept | priority)
    // A BPF program is loaded as at a start: what starts the sensor has kept what that needs.
    #expect(try Privileges.ofThreads(try reporter.sensor().pid) { $0 == "witness" }.count == 1)
    #expect(late.bounding == kept && late.isFenced && late.noNewPrivileges)
    // A real-time priority as soon as it runs: SCHED_FIFO, 1.
    if priority != 0 {
      try await eventually("its priority") {
        try Privileges.policies(try reporter.sensor().pid, of: Privileges.listener) == [1] ? () : nil
      }
    }
    try await reporter.stop()
  }

  @Test(.needs(.packets))
  func `with file capabilities any user's copy works, and turns tracking off again`() async throws {
    let lab = try await MonitorAccountingTests.readyTopology()
    try await lab.a.setSysctl("net.netfilter.nf_conntrack_acct", to: "0")
    let copy = try await CopyForEveryone(of: "runmonitor")
    try await run([
      "setcap", "cap_net_admin,cap_dac_read_search,cap_sys_ptrace,cap_bpf,cap_perfmon+ep", copy.path,
    ])
    let monitor = try lab.a.start([
      "setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", copy.path, "--enable-tracking",
      "--format", "json", "--interval", "0.1",
    ])
    _ = try await monitor.output.first("a first report") { try Report(line: $0) }
    let kept = Privileges.measuring
    #expect(try Privileges.ofThreads(monitor.pid) { $0 == "witness" }.count == 1)
    for thread in try Privileges.ofThreads(monitor.pid) {
      #expect(thread.effective == kept && thread.permitted == kept && thread.inheritable == 0)
      #expect(thread.noNewPrivileges && thread.isFenced)
    }
    let traffic = try await TrafficKind(.client, "tcp-serve", "tcp HOST PORT --send 3000000").run(in: lab)
    let truth = HostView(try await lab.quietConnections(), addresses: Topology.addressesOfA)
    try await monitor.output.first("\(truth) of root's process") {
      try Report(line: $0)?.usage(pid: traffic.client.pid) == truth ? () : nil
    }
    try await traffic.finish()
    #expect(try await monitor.stop() == .exited(0))
    #expect(monitor.complaints.filter { $0.contains("warning") || $0.contains("error") }.isEmpty)
    #expect(try await lab.a.sysctl("net.netfilter.nf_conntrack_acct") == "0")
    #expect(!(try await lab.a.run("nft list ruleset").contains("bwmon")))
  }
}
