import Model
import SystemRuntime
import SystemPackage
import Testing

@testable import Diagnosis
@testable import Netfilter
@testable import Ownership

/// Facts of a host in, findings out.
@Suite struct DoctorTests {
  private static let well: HostFacts = {
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
      says: ["reading x: permission denied", "setcap "]
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
      says: ["looked up", "cap_bpf and cap_perfmon"]
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
      says: ["/proc does not report", "--source netlink", "setcap cap_net_admin"]
    ) { $0.hasEndEvents = false },
    Row(
      testDescription: "no events of /proc, nor of the kernel", subject: "events", says: ["--source netlink"]
    ) {
      ($0.hasEndEvents, $0.events) = (false, 0)
    },
    Row(
      testDescription: "old connections", subject: "old connections",
      says: [": 3. ", "from their sockets", "/etc/sysctl.d/"]
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
      says: ["CAP_SYS_PTRACE are missing", "setcap cap_net_admin"]
    ) { $0.missing = .processes },
    Row(testDescription: "hidepid", subject: "processes", says: ["the sentence"]) {
      $0.hidden = Warning(code: "processes_hidden", text: "the sentence")
    },
    Row(
      testDescription: "processes of other users", subject: "processes",
      says: ["1 (init), 7 (sshd), 9 (nginx) and 2 more. ", "setcap "]
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
    var facts = Self.well
    row.change(&facts)
    let problems = facts.findings.filter(\.isProblem)
    #expect(problems.map(\.subject) == [row.subject])
    let line = "\(try #require(problems.first))"
    #expect(line.hasPrefix("problem  \(row.subject): ") && !line.contains("\n"))
    for part in row.says { #expect(line.contains(part), "\(line)") }
  }

  /// What another kernel alone would mend: which way is used instead, what that costs, and why.
  static let witnessNotes: [(probe: WitnessProbe, says: [String])] = [
    (
      WitnessProbe(choice: .auto, tier: .packets, failures: [.tooOld(.calls, running: "6.1.0-18")]),
      ["bpf-5.8 is used", "several processes", "who receives datagrams", "Linux 6.1.0-18", "which needs"]
    ),
    (
      WitnessProbe(
        choice: .auto,
        failures: [.tooOld(.calls, running: "5.4.0"), .tooOld(.packets, running: "5.4.0")]),
      ["looked up", "Linux 5.4.0", "--witness bpf-5.8", "use --witness lookup."]
    ),
    (
      WitnessProbe(choice: .auto, failures: [.withoutTypes]),
      ["looked up", "/sys/kernel/btf/vmlinux is missing"]
    ),
    (
      WitnessProbe(choice: .auto, failures: [.lockedDown]),
      ["looked up", "locked down", "lockdown=integrity"]
    ),
    (WitnessProbe(choice: .auto, failures: [.unsupported("BPF")]), ["looked up", "has no BPF"]),
    (
      WitnessProbe(choice: .auto, failures: [.refused(.packets, log: "R1 is bad")]),
      ["looked up", "refuses the program", "R1 is bad"]
    ),
  ]

  @Test(arguments: witnessNotes)
  func `a kernel without what a BPF program needs is a note with the reason`(
    probe: WitnessProbe, says: [String]
  )
    throws
  {
    var facts = Self.well
    facts.witness = probe
    let finding = try #require(facts.findings.first { $0.subject == "witness" })
    #expect(!finding.isProblem && "\(finding)".hasPrefix("note     witness: "))
    for part in says { #expect("\(finding)".contains(part), "\(finding)") }
  }

  static let wellRows: [(change: @Sendable (inout HostFacts) -> Void, line: String)] = [
    ({ _ in }, "ok       connection table: 12 entries"),
    ({ _ in }, "ok       tracking: IPv4 and IPv6"),
    ({ $0.probes.removeLast() }, "ok       tracking: IPv4"),
    (
      { $0.witness = WitnessProbe(choice: .auto, tier: .calls, failures: []) },
      "ok       witness: bpf: the kernel reports who moves what"
    ),
    (
      { $0.witness = WitnessProbe(choice: .packets, tier: .packets, failures: []) },
      "ok       witness: bpf-5.8: the kernel reports who moves what"
    ),
    (
      { $0.witness = WitnessProbe(choice: .lookup, failures: []) },
      "ok       witness: sockets are looked up, as --witness lookup asks"
    ),
    ({ $0.events = 1 }, "ok       events: the ends of connections are reported"),
    (
      {
        $0.bridges = ["br0"]
        $0.seesBridges = true
      }, "ok       bridges: netfilter sees what stays on br0"
    ),
    ({ $0.others.known = 7 }, "ok       network namespaces: others: 7, all can be looked into"),
    (
      { $0.others = HostFacts.Others(wish: .leftOut) },
      "ok       network namespaces: left out, as --no-namespaces asks"
    ),
    ({ $0.others.wish = .denied }, "ok       network namespaces: no other"),
    ({ $0.limit = 1000 }, "ok       room: for 1000 entries"),
    ({ ($0.limit, $0.count) = (1000, 949) }, "ok       room: for 1000 entries"),
    ({ $0.kept = 99 }, "ok       ended entries: none is kept for long"),
    (
      { ($0.table, $0.kept) = (.success(HostFacts.Table(entries: 20_000)), 1_999) },
      "ok       ended entries: none is kept for long"
    ),
    (
      { _ in },
      "ok       events: the ends of connections are reported. Those of connections that are older than this program may "
        + "be missing, and with them their last bytes: set net.netfilter.nf_conntrack_events=1 at boot to have them."
    ),
    ({ _ in }, "ok       priority: new connections are looked at before other programs go on"),
    (
      { $0.mayComeFirst = false },
      "note     priority: nobody lets this program run before others, so that connections that live for less than a "
        + "millisecond are named less often: start it as root with CAP_SYS_NICE or CAP_SYS_RESOURCE, or as a service with "
        + "`LimitRTPRIO=1`."
    ),
    (
      {
        $0.denied = DeniedProcesses(count: 1, names: ["1 (process_api)"], isMendable: false)
      },
      "note     processes: a sandbox or a security module lets nobody here read what processes have open: "
        + "1 (process_api). Bytes of their sockets have no owner; nothing is to be done."
    ),
    (
      { $0.eventError = .unsupported("x") },
      "note     process events: the kernel reports starts and ends of processes only in the host's network and "
        + "pid namespaces, so that processes that live a few milliseconds may have no name: in a container nothing is "
        + "to be done, run on the host to have them."
    ),
    (
      { $0.losses = ConntrackLosses(dropped: 1, early: 2, refused: 3) },
      "note     lost entries: since this host or container was started 1 new connections were dropped, 2 were "
        + "forgotten early, both for lack of room, and 3 collided with others: nothing is to be done unless these "
        + "numbers grow."
    ),
  ]

  @Test(arguments: wellRows)
  func `what is well is said as well`(change: @Sendable (inout HostFacts) -> Void, line: String) {
    var facts = Self.well
    change(&facts)
    #expect(facts.findings.filter(\.isProblem).isEmpty)
    #expect(facts.findings.map(\.description).contains(line))
  }

  @Test func `process events are a problem where a capability would bring them`() {
    var facts = Self.well
    (facts.eventError, facts.missing) = (.notPermitted("x"), .network)
    #expect(facts.findings.filter(\.isProblem).map(\.subject) == ["capabilities", "process events"])
  }

  @Test func `losses are a problem while the table is full`() {
    var facts = Self.well
    facts.losses = ConntrackLosses(refused: 1)
    facts.limit = 12
    #expect(facts.findings.filter(\.isProblem).map(\.subject) == ["room", "lost entries"])
  }

  @Test func `a table that a stopped listener fills is not to be raised`() throws {
    var facts = Self.well
    (facts.limit, facts.count, facts.kept) = (1000, 950, 938)
    let problems = facts.findings.filter(\.isProblem)
    #expect(problems.map(\.subject) == ["room", "ended entries"])
    let room = "\(try #require(problems.first))"
    #expect(room.contains("12 of them live, 938 have ended and are kept for a program"))
    #expect(!room.contains("sysctl"))
  }

  @Test func `who comes first is not guessed`() {
    var facts = Self.well
    facts.mayComeFirst = nil
    #expect(!facts.findings.contains { $0.subject == "priority" })
  }

  @Test func `interfaces that cannot be read have no guess of bridges`() {
    var facts = Self.well
    facts.bridges = nil
    #expect(!facts.findings.contains { $0.subject == "bridges" })
  }

  @Test func `what cannot be read of bridges and events is no guess`() {
    var facts = Self.well
    (facts.bridges, facts.seesBridges) = (["br0"], nil)
    facts.table = .failure(.notPermitted("x"))
    let subjects = facts.findings.map(\.subject)
    #expect(!subjects.contains("bridges") && !subjects.contains("events") && !subjects.contains("priority"))
  }

  @Test func `a host without conntrack has no guesses about it`() {
    var facts = HostFacts(table: .failure(.unsupported("x")))
    facts.missing = .naming
    let subjects = facts.findings.map(\.subject)
    #expect(
      subjects == [
        "connection table", "sockets", "capabilities", "processes", "process events",
      ])
  }

  static let names = "entries  found drop early_drop insert insert_failed\n"
  static let statistics: [(text: String, losses: ConntrackLosses?)] = [
    (names + "5 6 0 0 7 0\n", ConntrackLosses()),
    (names + "5 6 1 2 7 a\n5 6 10 0 7 0\n", ConntrackLosses(dropped: 17, early: 2, refused: 10)),
    (
      "insert_failed early_drop drop\n00000001 00000002 00000003\n",
      ConntrackLosses(dropped: 3, early: 2, refused: 1)
    ),
    (names, ConntrackLosses()),
    (names + "1 2\n", ConntrackLosses()),
    (names + "x x x x x x\n", ConntrackLosses()),
    ("entries drop early_drop\n1 2 3\n", nil),
    ("", nil),
  ]

  @Test(arguments: statistics)
  func `losses are found by their names, whatever else there is`(text: String, losses: ConntrackLosses?) {
    #expect(ConntrackLosses(text) == losses)
  }
}
