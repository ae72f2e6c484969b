import SystemRuntime
import Testing

@testable import Diagnosis
@testable import Netfilter
@testable import Ownership

/// What the doctor says that is no problem: what is well, notes with their reason, and no guesses.
@Suite struct DoctorNotesTests {
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
    var facts = HostFacts.well
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
    var facts = HostFacts.well
    change(&facts)
    #expect(facts.findings.filter(\.isProblem).isEmpty)
    #expect(facts.findings.map(\.description).contains(line))
  }

  @Test func `who comes first is not guessed`() {
    var facts = HostFacts.well
    facts.mayComeFirst = nil
    #expect(!facts.findings.contains { $0.subject == "priority" })
  }

  @Test func `interfaces that cannot be read have no guess of bridges`() {
    var facts = HostFacts.well
    facts.bridges = nil
    #expect(!facts.findings.contains { $0.subject == "bridges" })
  }

  @Test func `what cannot be read of bridges and events is no guess`() {
    var facts = HostFacts.well
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
