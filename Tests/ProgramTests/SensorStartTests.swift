import Foundation
import Lab
import Testing

/// Which sensor runaggregator starts and with which privileges, and what it does where none can be started.
@Suite(.needs(.namespaces), .serialized, .laboratory(), .timeLimit(.minutes(10)))
struct SensorStartTests {
  @Test func `without a launcher and a sensor it ends, or goes on with its pipes and says so`() async throws {
    let host = try await NetworkNamespace()
    try await host.setSysctl("net.netfilter.nf_conntrack_acct", to: "0")
    let folder = try ScratchFolder()
    let files = try folder.write(
      "[m]\ntype=monitor\n[p]\ntype=pipe\nport=8080\nnewhost=127.0.0.1\nnewport=9000\n", to: "monitors")
    for flags in [[], ["--monitor-config", files]] {
      let aggregator = try Reporter(["--enable-tracking"] + flags, program: "runaggregator", in: host)
      try await aggregator.report("a first report")
      let sensor = try aggregator.sensor()
      kill(sensor.launcher, SIGKILL)
      kill(sensor.pid, SIGKILL)
      if flags.isEmpty {
        #expect(try await aggregator.process.ended() == .exited(69))
      } else {
        try await aggregator.process.errors.first("a warning", from: 0) {
          $0.contains("Nothing is measured any more") ? () : nil
        }
        aggregator.process.signal(SIGHUP)
        try await aggregator.process.errors.first("why not", from: 0) {
          $0.contains("stays in force") ? () : nil
        }
        #expect(try await aggregator.process.stop() == .exited(69))
      }
      #expect(aggregator.process.errors.text.contains("start this program again"))
      #expect(aggregator.process.errors.text.contains("nf_conntrack_acct stays 1"))
      try await host.setSysctl("net.netfilter.nf_conntrack_acct", to: "0")
    }
  }

  @Test func `a configuration that only its owner may read is root's to use`() async throws {
    let host = try await NetworkNamespace()
    let folder = try ScratchFolder()
    let path = try folder.write("[all]\nrule=.\n", to: "apps")
    try await run(["chown", "-R", "65534", folder.path])
    try await run(["chmod", "700", folder.path])
    let child = try host.start([Program.path("runaggregator"), "--app-config", path, "--count", "1"])
    #expect(try await child.ended() == .exited(0), "\(child.errors.text)")
  }

  struct Broken: Sendable, CustomTestStringConvertible {
    var testDescription: String
    /// What stands beside runaggregator; nil for nothing.
    var script: String?
    var mode = "755"
    var status: Int32 = 69
    var says: String
  }

  @Test(arguments: [
    Broken(testDescription: "absent", says: "install it beside this program"),
    Broken(testDescription: "not executable", script: "#!/bin/sh\n", mode: "644", says: "may not be run"),
    Broken(testDescription: "ends at once", script: "#!/bin/sh\nexit 3\n", says: "start this program again"),
    Broken(
      testDescription: "of another version", script: "#!/bin/sh\nexec /usr/bin/python3 FIXTURE version\n",
      says: "of version 0.0.1, this program of 2.0.0"),
    Broken(
      testDescription: "of a version to come", script: "#!/bin/sh\nexec /usr/bin/python3 FIXTURE later\n",
      says: "of version 99.0.0, this program of 2.0.0"),
    Broken(
      testDescription: "sends a message of no known kind",
      script: "#!/bin/sh\nexec /usr/bin/python3 FIXTURE kind\n",
      says: "unknown kind 99"),
    Broken(
      testDescription: "sends one that is too long",
      script: "#!/bin/sh\nexec /usr/bin/python3 FIXTURE long\n",
      says: "too long"),
    Broken(
      testDescription: "sends one that is cut", script: "#!/bin/sh\nexec /usr/bin/python3 FIXTURE cut\n",
      says: "the sensor has ended"),
    Broken(
      testDescription: "answers what was not asked",
      script: "#!/bin/sh\nexec /usr/bin/python3 FIXTURE early\n",
      says: "not expected"),
  ])
  func `a sensor that cannot be used ends the start, and is said`(broken: Broken) async throws {
    let host = try await NetworkNamespace()
    let folder = try ScratchFolder()
    let program = try await folder.copy(Program.path("runaggregator"), as: "runaggregator")
    if let script = broken.script {
      let fixture = URL(filePath: #filePath).deletingLastPathComponent().appending(
        path: "Fixtures/wrong_sensor.py")
      let path = try await folder.write(
        program: script.replacing("FIXTURE", with: fixture.path), to: "runmonitor")
      try await run(["chmod", broken.mode, path])
    }
    let child = try host.start([program, "--format", "json", "--count", "1"])
    #expect(try await child.ended() == .exited(broken.status), "\(child.errors.text)")
    #expect(child.errors.text.contains(broken.says), "\(child.errors.text)")
    #expect(child.errors.lines.count == 1 && child.output.lines.isEmpty)
  }

  /// Beside runaggregator, else in the libexec folder of the same installation; another one in PATH is not for it.
  @Test(arguments: ["bin", "libexec/bwmon", "elsewhere"])
  func `the sensor is of the same installation`(place: String) async throws {
    let lab = try await MonitorAccountingTests.readyTopology()
    let folder = try ScratchFolder()
    try await run(["mkdir", "-p", "\(folder.path)/bin", "\(folder.path)/\(place)"])
    let program = try await folder.copy(Program.path("runaggregator"), as: "bin/runaggregator")
    let sensor = try await folder.copy(Program.path("runmonitor"), as: "\(place)/runmonitor")
    let child = try lab.a.start([
      "env", "PATH=\(folder.path)/\(place):/usr/bin:/bin", program, "--format", "json", "--count", "1",
    ])
    let status = try await child.ended()
    #expect(status == .exited(place == "elsewhere" ? 69 : 0), "\(child.errors.text)")
    if place == "elsewhere" {
      #expect(child.errors.text.contains("is neither \(folder.path)/bin/runmonitor nor"))
      #expect(child.errors.text.contains(" \(folder.path)/libexec/bwmon/runmonitor: install it"))
    } else {
      #expect(child.output.lines.contains { $0.contains("\"event\":\"usage\"") }, "\(sensor)")
    }
  }

  @Test(.needs(.packets))
  func `capabilities of the sensor's file are enough for any user's runaggregator`() async throws {
    let lab = try await MonitorAccountingTests.readyTopology()
    let copy = try await CopyForEveryone(of: "runaggregator")
    let sensor = copy.path.replacing("runaggregator", with: "runmonitor")
    try await run([
      "setcap", "cap_net_admin,cap_dac_read_search,cap_sys_ptrace,cap_bpf,cap_perfmon+ep", sensor,
    ])
    let aggregator = Reporter(
      process: try lab.a.start([
        "setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", copy.path, "--format", "json",
        "--interval", "0.1", "--auto-group",
      ]))
    try await aggregator.report("a first report")
    for thread in try Privileges.ofThreads(aggregator.process.pid) {
      #expect(thread.permitted == 0 && thread.isFenced && thread.noNewPrivileges)
    }
    // Started again it has them as well.
    for _ in 0..<2 {
      for thread in try Privileges.ofThreads(try aggregator.sensor().pid) {
        #expect(thread.permitted == Privileges.measuring && thread.isFenced)
      }
      let known = aggregator.warnings("sensor_lost").count
      kill(try aggregator.sensor().pid, SIGKILL)
      try await eventually("another sensor", state: { aggregator.state }) {
        aggregator.warnings("sensor_lost").count == known + 2 ? () : nil
      }
    }
    let traffic = try await TrafficKind(.client, "tcp-serve", "tcp HOST PORT --send 3000000").run(in: lab)
    try await aggregator.report("root's process") { $0.row(named: "traffic")?.sent ?? 0 > 3_000_000 }
    try await traffic.finish()
    try await aggregator.stop()
  }

  @Test func `without any privilege it says what to do, as runmonitor does`() async throws {
    let host = try await NetworkNamespace()
    let copy = try await CopyForEveryone(of: "runaggregator")
    let child = try host.start([
      "setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", copy.path, "--count", "1",
    ])
    #expect(try await child.ended() == .exited(77))
    #expect(
      child.errors.text.contains("setcap") && child.errors.text.contains("/runmonitor"),
      "\(child.errors.text)")
  }

  @Test func `started by hand it says whose it is`() async throws {
    let child = try ChildProcess([Program.path("runmonitor"), "--sensor"])
    #expect(try await child.ended() == .exited(78))
    #expect(child.errors.text.contains("start that instead"), "\(child.errors.text)")
  }
}
