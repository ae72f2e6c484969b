import Model
import SystemPackage
import SystemRuntime
import Testing

@testable import Diagnosis
@testable import Netfilter
@testable import Ownership

/// Facts of a host in, problems out, each with what to do.
@Suite struct DoctorTests {
  struct Row: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var subject: String
    /// What must be in the sentence: the fact and the mend.
    var says: [String]
    var change: @Sendable (inout HostFacts) -> Void
  }

  static let problems = [
    Row(
      testDescription: "no privilege", subject: "connection table",
      says: ["reading x: permission denied. ", KernelError.privilegeSentence()]
    ) { $0.table = .failure(.notPermitted("reading x")) },
    Row(
      testDescription: "no conntrack", subject: "connection table", says: ["x is not available", "modprobe "]
    ) { $0.table = .failure(.unsupported("x")) },
    Row(
      testDescription: "no accounting", subject: "accounting",
      says: ["does not count the bytes", "`sysctl -w net.netfilter.nf_conntrack_acct=1`"]
    ) { $0.isAccounting = false },
    Row(
      testDescription: "one family untracked", subject: "tracking",
      says: [" by IPv6 is not", "nft add table", "--enable-tracking"]
    ) { $0.probes[1].isTracked = false },
    Row(testDescription: "nothing tracked", subject: "tracking", says: [" by IPv4 and IPv6 is not"]) {
      for index in $0.probes.indices { $0.probes[index].isTracked = false }
    },
    Row(
      testDescription: "no capability for BPF", subject: "witness",
      says: ["looked up", KernelError.privilegeAdvice(["CAP_BPF", "CAP_PERFMON"])]
    ) { $0.witness = WitnessProbe(choice: .auto, failures: [.notPermitted, .notPermitted]) },
    Row(
      testDescription: "another pid namespace", subject: "witness", says: ["looked up", "--pid=host"]
    ) { $0.witness = WitnessProbe(choice: .auto, failures: [.otherNumbers, .otherNumbers]) },
    Row(
      testDescription: "a BPF program that is asked for by name", subject: "witness",
      says: ["a start with --witness bpf ends", "Linux 5.15.0", "use --witness bpf-5.8 or lookup."]
    ) { $0.witness = WitnessProbe(choice: .calls, failures: [.tooOld(.calls, running: "5.15.0")]) },
    Row(
      testDescription: "no memory for BPF", subject: "witness",
      says: ["looked up", "mapping the ring: Cannot allocate memory. Free memory"]
    ) { $0.witness = WitnessProbe(choice: .auto, failures: [.failed("mapping the ring", .noMemory)]) },
    Row(
      testDescription: "a full table", subject: "room",
      says: ["12 of 12 entries", "`sysctl -w net.netfilter.nf_conntrack_max=24`"]
    ) { $0.limit = 12 },
    Row(
      testDescription: "a table full of what has run out of time", subject: "room",
      says: ["950 of 1000 entries", "connections: raise it", "nf_conntrack_max=2000"]
    ) { ($0.limit, $0.count) = (1000, 950) },
    Row(
      testDescription: "a table full of what no list shows, and nobody tells why", subject: "room",
      says: ["12 of them live", "end such a program", "ps -eo stat", "nf_conntrack_max=2000"]
    ) { ($0.limit, $0.count, $0.kept) = (1000, 950, nil) },
    Row(
      testDescription: "a listener that is stopped", subject: "ended entries",
      says: [
        "2000 that are in no list", "beside 12 that live: they are kept for a program", "continue or end it",
      ]
    ) { ($0.count, $0.kept) = (2012, 2000) },
    Row(
      testDescription: "a few that are kept beside few", subject: "ended entries",
      says: ["100 that are in no list"]
    ) { $0.kept = 100 },
    Row(
      testDescription: "no events", subject: "events",
      says: ["does not report", "`sysctl -w net.netfilter.nf_conntrack_events=2`"]
    ) { $0.events = 0 },
    Row(
      testDescription: "no events of /proc", subject: "events",
      says: ["/proc does not report", "--source netlink", KernelError.privilegeAdvice(["CAP_NET_ADMIN"])]
    ) { $0.hasEndEvents = false },
    Row(
      testDescription: "no events of /proc, nor of the kernel", subject: "events", says: ["--source netlink"]
    ) {
      ($0.hasEndEvents, $0.events) = (false, 0)
    },
    Row(
      testDescription: "old connections", subject: "old connections",
      says: [": 3. ", "from their sockets, within 0.5 %", "/etc/sysctl.d/"]
    ) { $0.table = .success(HostFacts.Table(entries: 12, uncounted: 3)) },
    Row(testDescription: "offload", subject: "offload", says: [": 4. ", "`counter`"]) {
      $0.table = .success(HostFacts.Table(entries: 12, offloaded: 4))
    },
    Row(
      testDescription: "bridges", subject: "bridges",
      says: ["of br0, docker0:", "`modprobe br_netfilter`", "bridge-nf-call-ip6tables=1"]
    ) { ($0.bridges, $0.seesBridges) = (["br0", "docker0"], false) },
    Row(
      testDescription: "no diagnostics of sockets", subject: "sockets",
      says: ["TCP and UDP", "`modprobe -a inet_diag tcp_diag udp_diag`", "sandbox"]
    ) { $0.withoutDiagnostics = [.tcp, .udp] },
    Row(
      testDescription: "no diagnostics of UDP", subject: "sockets",
      says: ["single UDP sockets", "`modprobe -a inet_diag udp_diag`"]
    ) { $0.withoutDiagnostics = [.udp] },
    Row(
      testDescription: "no CAP_SYS_PTRACE", subject: "capabilities",
      says: ["CAP_SYS_PTRACE are missing", KernelError.privilegeAdvice(["CAP_SYS_PTRACE"])]
    ) { $0.missing = .processes },
    Row(testDescription: "hidepid", subject: "processes", says: ["the sentence"]) {
      $0.hidden = Warning(code: "processes_hidden", text: "the sentence")
    },
    Row(
      testDescription: "processes of other users", subject: "processes",
      says: ["1 (init), 7 (sshd), 9 (nginx) and 2 more. ", KernelError.privilegeSentence()]
    ) {
      $0.denied = DeniedProcesses(
        count: 5, names: ["1 (init)", "7 (sshd)", "9 (nginx)"], isMendable: true)
    },
    Row(
      testDescription: "namespaces that may not be entered", subject: "network namespaces",
      says: [": 5. ", "CAP_SYS_ADMIN"]
    ) { $0.others = HostFacts.Others(wish: .denied, known: 5) },
    Row(
      testDescription: "namespaces that do not answer", subject: "network namespaces",
      says: [": 1 of 5. ", "ulimit -n"]
    ) { $0.others = HostFacts.Others(wish: .read, known: 5, unread: 1) },
  ]

  @Test(arguments: problems) func `a fault is one problem, which says what to do`(row: Row) throws {
    var facts = HostFacts.well
    row.change(&facts)
    let problems = facts.findings.filter(\.isProblem)
    #expect(problems.map(\.subject) == [row.subject])
    let line = "\(try #require(problems.first))"
    #expect(line.hasPrefix("problem  \(row.subject): ") && !line.contains("\n"))
    for part in row.says { #expect(line.contains(part), "\(line)") }
  }

  @Test func `process events are a problem where a capability would bring them`() {
    var facts = HostFacts.well
    (facts.eventError, facts.missing) = (.notPermitted("x"), .network)
    #expect(facts.findings.filter(\.isProblem).map(\.subject) == ["capabilities", "process events"])
  }

  @Test func `losses are a problem while the table is full`() {
    var facts = HostFacts.well
    facts.losses = ConntrackLosses(refused: 1)
    facts.limit = 12
    #expect(facts.findings.filter(\.isProblem).map(\.subject) == ["room", "lost entries"])
  }

  @Test func `a table that a stopped listener fills is not to be raised`() throws {
    var facts = HostFacts.well
    (facts.limit, facts.count, facts.kept) = (1000, 950, 938)
    let problems = facts.findings.filter(\.isProblem)
    #expect(problems.map(\.subject) == ["room", "ended entries"])
    let room = "\(try #require(problems.first))"
    #expect(room.contains("12 of them live, 938 have ended and are kept for a program"))
    #expect(!room.contains("sysctl"))
  }
}

extension HostFacts {
  /// Those of a host without a fault.
  static let well: HostFacts = {
    var facts = HostFacts(table: .success(HostFacts.Table(entries: 12)))
    facts.hasEndEvents = true
    facts.mayComeFirst = true
    facts.count = 12
    facts.kept = 0
    facts.limit = 262_144
    facts.isAccounting = true
    facts.events = 2
    facts.probes = [
      HostFacts.Probe(family: "IPv4", isTracked: true), HostFacts.Probe(family: "IPv6", isTracked: true),
    ]
    facts.losses = ConntrackLosses()
    facts.bridges = []
    facts.processes = 80
    return facts
  }()
}
