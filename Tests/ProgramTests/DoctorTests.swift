import Lab
import Testing

/// `--doctor`: a line for each thing looked at, in namespaces with one fault each.
@Suite(.needs(.namespaces), .serialized, .timeLimit(.minutes(10)))
struct DoctorTests {
  private static let nobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]

  struct Fault: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var problems: Set<String>
    var says = ""
    var program = "runmonitor"
    var wrapper: [String] = []
    var flags: [String] = []
    var commands: [String] = []
  }

  static let faults = [
    Fault(testDescription: "none", problems: []),
    Fault(testDescription: "none, as runaggregator sees it", problems: [], program: "runaggregator"),
    Fault(
      testDescription: "only /proc", problems: ["events"], says: "--source netlink",
      flags: ["--source", "procfs"]),
    Fault(
      testDescription: "accounting off", problems: ["accounting"],
      says: "nf_conntrack_acct=1", commands: ["sysctl -qw net.netfilter.nf_conntrack_acct=0"]),
    Fault(
      testDescription: "nothing tracked", problems: ["tracking"], says: "IPv4 and IPv6",
      commands: ["nft flush ruleset"]),
    Fault(
      testDescription: "only IPv4 tracked", problems: ["tracking"], says: "by IPv6 is not",
      commands: [
        "nft flush ruleset", "nft add table ip track",
        "nft add chain ip track out { type filter hook output priority 0; }",
        "nft add rule ip track out ct state new",
      ]),
    Fault(
      testDescription: "events off", problems: ["events"], says: "nf_conntrack_events",
      commands: ["sysctl -qw net.netfilter.nf_conntrack_events=0"]),
    Fault(
      testDescription: "root without CAP_SYS_PTRACE", problems: ["capabilities", "processes"],
      says: "CAP_SYS_PTRACE are missing",
      wrapper: ["setpriv", "--inh-caps=-sys_ptrace", "--bounding-set=-sys_ptrace"]),
    Fault(
      testDescription: "nobody", problems: ["connection table", "capabilities", "processes"],
      says: "permission denied", wrapper: nobody),
    Fault(
      testDescription: "nobody where /proc hides others", problems: ["capabilities", "processes"],
      says: "hidepid=",
      wrapper: ["sh", "-c", "mount -t proc -o hidepid=2 proc /proc && exec \"$@\"", "sh"] + nobody
        + ["--inh-caps=+net_admin", "--ambient-caps=+net_admin"]),
  ]

  @Test(arguments: faults) func `each fault is a problem, all else is well`(fault: Fault) async throws {
    let namespace = try await NetworkNamespace()
    try await namespace.trackConnections()
    for command in fault.commands { try await namespace.run(command) }
    let before = try await settings(namespace)
    let copy = try await CopyForEveryone(of: fault.program)
    let child = try namespace.start(fault.wrapper + [copy.path, "--doctor"] + fault.flags)
    let status = try await child.ended()
    let lines = child.output.lines
    #expect(child.errors.text.isEmpty)
    #expect(
      lines.allSatisfy { $0.hasPrefix("ok       ") || $0.hasPrefix("note     ") || $0.hasPrefix("problem  ") }
    )
    var problems = Set(lines.filter { $0.hasPrefix("problem  ") }.map(Self.subject))
    // The kernel tells it only to the host's own network namespace: a note, but for who lacks the capability too.
    if fault.problems.contains("capabilities") {
      problems.remove("process events")
    } else {
      #expect(child.output.text.contains("note     process events: "))
    }
    #expect(problems == fault.problems, "\(child.output.text)")
    #expect(child.output.text.contains(fault.says))
    #expect(status == .exited(lines.contains { $0.hasPrefix("problem  ") } ? 1 : 0))
    #expect(try await settings(namespace) == before)
  }

  /// All that it might have changed.
  private func settings(_ namespace: NetworkNamespace) async throws -> String {
    let settings = try await namespace.run("sysctl -a --pattern net.netfilter.*(acct|events|max|timestamp)")
    return try await namespace.run("nft -s list ruleset") + settings
  }

  private static func subject(_ line: String) -> String {
    String(line.dropFirst("problem  ".count).prefix { $0 != ":" })
  }

  @Test func `connections that are older than accounting are reported`() async throws {
    let lab = try await Topology()
    try await lab.a.trackConnections(counting: false)
    try await lab.b.trackConnections()
    let traffic = try await TrafficKind(.client, "tcp-serve", "tcp HOST PORT --send 1000").run(in: lab)
    try await lab.a.trackConnections()
    let text = try await doctor(in: lab.a)
    #expect(text.contains("problem  old connections: "), "\(text)")
    try await traffic.finish()
  }

  @Test func `a bridge whose traffic netfilter does not see is reported`() async throws {
    let namespace = try await NetworkNamespace()
    try await namespace.trackConnections()
    try await namespace.ip("link add br-lab type bridge")
    let setting = "net.bridge.bridge-nf-call-iptables"
    if (try? await namespace.setSysctl(setting, to: "0")) != nil {
      #expect(try await doctor(in: namespace).contains("problem  bridges: "))
      try await namespace.setSysctl(setting, to: "1")
      #expect(
        try await doctor(in: namespace).contains("ok       bridges: netfilter sees what stays on br-lab"))
    } else {
      #expect(try await doctor(in: namespace).contains("problem  bridges: "))
    }
  }

  /// As with `ip netns exec`, but without a /sys of its own.
  @Test func `a bridge is found where /sys is another namespace's`() async throws {
    let namespace = try await NetworkNamespace()
    try await namespace.trackConnections()
    try await namespace.ip("link add br-lab type bridge")
    let child = try ChildProcess([
      "nsenter", "--net=/run/netns/\(namespace.name)", Program.path("runmonitor"), "--doctor",
    ])
    _ = try await child.ended()
    let line = child.output.lines.first { $0.contains(" bridges: ") }
    #expect(line?.contains("br-lab") == true, "\(child.output.text)")
  }

  @Test func `another namespace is well where it may be looked into`() async throws {
    let lab = try await Topology()
    let server = try Traffic("udp-serve", in: lab.b)
    _ = try await server.ready()
    let allowed = try await doctor(in: lab.a)
    #expect(allowed.contains("ok       network namespaces: others: "), "\(allowed)")
    let denied = try await doctor(
      in: lab.a, wrapper: ["setpriv", "--inh-caps=-sys_admin", "--bounding-set=-sys_admin"])
    #expect(denied.contains("problem  network namespaces: others that are not looked into"), "\(denied)")
    #expect(denied.contains("CAP_SYS_ADMIN"))
    let unwanted = try await doctor(in: lab.a, flags: ["--no-namespaces"])
    #expect(unwanted.contains("ok       network namespaces: left out"))
    try await server.finish()
  }

  /// What it prints, whatever it finds.
  private func doctor(
    in namespace: NetworkNamespace, wrapper: [String] = [], flags: [String] = []
  ) async throws -> String {
    let child = try namespace.start(wrapper + [Program.path("runmonitor"), "--doctor"] + flags)
    let status = try await child.ended()
    let isWell = !child.output.lines.contains { $0.hasPrefix("problem  ") }
    #expect(status == .exited(isWell ? 0 : 1), "\(child.output.text)\(child.errors.text)")
    return child.output.text
  }

  @Test func `it changes nothing, so it takes no flag that would`() async throws {
    let child = try ChildProcess([Program.path("runmonitor"), "--doctor", "--enable-tracking"])
    #expect(try await child.ended() == .exited(64))
    #expect(child.errors.text.contains("--doctor changes nothing"))
  }
}
