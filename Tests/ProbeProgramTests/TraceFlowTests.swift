import Lab
import Testing

/// Traces where routers balance by flow, quote little, or answer seldom: by ICMP, and by UDP where this user may not send it.
@Suite(.needs(.tun), .timeLimit(.minutes(10)))
struct TraceFlowTests {
  static let families = [("10.9.0.5", "10.9.1."), ("fd09:2::5", "fd09:1::")]

  /// Gives nobody the copy of a program that must do without ICMP.
  private static func unprivileged(_ program: String, in site: ProbeSite) async throws -> CopyForEveryone {
    try await site.host.closePingSockets()
    return try await CopyForEveryone(of: program)
  }

  /// The paths of traces by UDP.
  private static func paths(_ flags: String, _ copy: CopyForEveryone, in site: ProbeSite) async throws
    -> [ProbeEvent]
  {
    let child = try await site.host.connvitals(
      "-tP --format json \(flags)", as: CopyForEveryone.nobody, program: copy.path)
    #expect(child.status == .exited(0), "\(child.errors.text)")
    return try child.output.lines.map { try ProbeEvent(line: $0) }
  }

  @Test(arguments: families) func `of several paths all traces by UDP take one`(
    way: (target: String, hop: String)
  ) async throws {
    let path = (1...8).map { "\(way.hop)1 \(way.hop)1\($0)" }.joined(separator: " | ")
    let site = try await ProbeSite("[target \(way.target)]\npath = \(path)")
    let copy = try await Self.unprivileged("connmonitor", in: site)
    let monitor = try Monitor(
      "\(way.target) ping=0 trace=1 json=true timestamp=false", in: site.host, as: CopyForEveryone.nobody,
      program: copy.path)
    // A trace asks each hop once.
    try await site.network.counters("a hundred traces") { $0.hops["\(way.hop)1"]?.received ?? 0 > 100 }
    #expect(try await monitor.endsWell())
    let records = try monitor.records()
    #expect(records.count == 1, "\(records.map(\.path))")
    let counters = try await site.network.counters()
    #expect(counters.hops.filter { $0.key != "\(way.hop)1" && $0.value.received > 0 }.count == 1)
  }

  @Test(arguments: families) func `routers that quote eight bytes are told apart`(
    way: (target: String, hop: String)
  ) async throws {
    let hops = (1...4).map { "\(way.hop)\($0)" }
    let site = try await ProbeSite(
      "[target \(way.target)]\npath = \(hops.joined(separator: " "))\n"
        + [0, 1, 3].map { "[hop \(hops[$0])]\nquote = 8\ndelay = \(20 * (4 - $0))\n" }.joined())
    let copy = try await Self.unprivileged("connvitals", in: site)
    func path(_ flags: String) async throws -> [String]? {
      try await Self.paths("\(flags) \(way.target)", copy, in: site).first?.path
    }
    let whole = hops + [way.target]
    #expect(try await path("--hop-timeout 60") == whole)
    // The destination quotes as little, too.
    try await site.network.set("target \(way.target) quote 8")
    #expect(try await path("--hop-timeout 60") == whole)
    // A router that says nothing is nobody else.
    try await site.network.set("hop \(hops[2]) silent on")
    #expect(try await path("--hop-timeout 3") == hops.prefix(2) + ["*", hops[3], way.target])
  }

  @Test func `answers that come too late are of no hop`() async throws {
    let hops = (1...3).map { "10.9.1.\($0)" }
    let site = try await ProbeSite(
      """
      [target 10.9.0.5]
      path = \(hops.joined(separator: " "))
      [hop 10.9.1.1]
      quote = 8
      [hop 10.9.1.2]
      quote = 8
      """)
    let copy = try await Self.unprivileged("connmonitor", in: site)
    // The time limit of a hop is a second there; each trace has late answers of those before.
    try await site.network.set("hop 10.9.1.1 delay 1500")
    let monitor = try Monitor(
      "10.9.0.5 ping=0 trace=1 json=true timestamp=false", in: site.host, as: CopyForEveryone.nobody,
      program: copy.path)
    try await site.network.counters("several traces") { $0.hops["10.9.1.1"]?.answered ?? 0 > 8 }
    #expect(try await monitor.endsWell())
    for path in try monitor.records().map(\.path) {
      #expect(zip(path, ["*"] + hops[1...] + ["10.9.0.5"]).allSatisfy { $0 == "*" || $0 == $1 }, "\(path)")
    }
  }

  @Test(arguments: families, [true, false]) func `several flows show the paths that there are`(
    way: (target: String, hop: String), isUDP: Bool
  ) async throws {
    let paths = [2, 3].map { between in [1, between, 4].map { "\(way.hop)\($0)" } }
    let site = try await ProbeSite(
      "[target \(way.target)]\npath = \(paths.map { $0.joined(separator: " ") }.joined(separator: " | "))")
    func events(_ flags: String) async throws -> [ProbeEvent] {
      if !isUDP { return try await site.host.events("-tP \(flags)") }
      return try await Self.paths(flags, try await Self.unprivileged("connvitals", in: site), in: site)
    }
    // Sixteen flows by chance all take one way once in 32,768 times; then others are tried.
    var found: ProbeEvent?
    for _ in 0..<4 where found?.paths?.count != 2 {
      found = try await events("--flows 16 --hop-timeout 60 \(way.target)").first
    }
    let event = try #require(found)
    #expect(event.flows == 16 && event.paths?.reduce(0) { $0 + $1.flows } == 16)
    #expect(Set(event.paths?.map(\.addresses) ?? []) == Set(paths.map { $0 + [way.target] }))
    #expect(event.path == event.paths?.first?.addresses && event.ending == "reached")
    let one = try #require(try await events("--hop-timeout 60 \(way.target)").first)
    #expect(one.paths == nil && paths.map { $0 + [way.target] }.contains(one.path))
  }

  @Test func `flows of one checksum are told apart by their identifiers`() async throws {
    let site = try await ProbeSite(
      "[target 10.9.0.5]\npath = 10.9.1.2 | 10.9.1.3", settings: "hash = identifier")
    for kind in [SocketKind.datagram, .raw] {
      try await kind.permit(in: site.host)
      let event = try #require(try await site.host.events("-tP --flows 64 --hop-timeout 60 10.9.0.5").first)
      #expect(Set(event.paths?.map { $0.addresses[0] } ?? []) == ["10.9.1.2", "10.9.1.3"], "\(event)")
    }
  }

  @Test func `who may ping can trace by UDP as well`() async throws {
    let site = try await ProbeSite(
      "[target 10.9.0.5]\npath = 10.9.1.2 | 10.9.1.3", settings: "hash = addresses")
    try await SocketKind.raw.permit(in: site.host)
    func routers(_ flags: String) async throws -> Set<String> {
      let events = try await site.host.events("-tP --flows 64 --hop-timeout 60 \(flags) 10.9.0.5")
      return Set(try #require(events.first).paths?.map { $0.addresses[0] } ?? [])
    }
    #expect(try await routers("").count == 1)
    #expect(try await routers("--udp") == ["10.9.1.2", "10.9.1.3"])
    let wrong = try await site.host.connvitals("--udp 10.9.0.5")
    #expect(wrong.status == .exited(64) && wrong.errors.text.contains("--trace"))
  }

  @Test func `several flows are a table, and never the original's lines`() async throws {
    let site = try await ProbeSite("[target 10.9.0.5]\npath = 10.9.1.2")
    let table = try await site.host.connvitals("-tP --flows 2 --hop-timeout 60 10.9.0.5")
    #expect(table.output.lines.dropFirst().first == "  trace  1 path of all 2 flows", "\(table.output.lines)")
    for (flags, part) in [
      ("-t -j --flows 2", "--format table"), ("-t --format plain --flows 2", "--format table"),
      ("--flows 2", "--trace"), ("-t --flows 0", "between 1 and 64"), ("-t --flows 65", "between 1 and 64"),
    ] {
      let wrong = try await site.host.connvitals("\(flags) 10.9.0.5")
      #expect(wrong.status == .exited(64) && wrong.errors.text.contains(part), "\(wrong.errors.text)")
    }
  }

  @Test(arguments: [true, false])
  func `a router with one answer a second is no reply there, and no loss at the target`(isUDP: Bool)
    async throws
  {
    let site = try await ProbeSite(
      """
      [hop 10.9.1.2]
      limit = 1 1
      [target 10.9.0.0/24]
      path = 10.9.1.1 10.9.1.2 10.9.1.3
      """)
    let targets = (10..<50).map { "10.9.0.\($0)" }
    let flags = "--hop-timeout 2 \(targets.joined(separator: " "))"
    let traces =
      if isUDP {
        try await Self.paths(flags, try await Self.unprivileged("connvitals", in: site), in: site)
      } else {
        try await site.host.events("-t -p 20 --timeout 10 \(flags)")
      }
    for event in traces {
      if event.kind == "ping" {
        #expect(event.loss == 0)
      } else {
        let whole = ["10.9.1.1", "10.9.1.2", "10.9.1.3", event.target]
        #expect(event.ending == "reached" && event.path.count == 4, "\(event.path)")
        #expect(zip(event.path, whole).allSatisfy { $0 == "*" || $0 == $1 }, "\(event.path)")
      }
    }
    let seen = traces.filter { $0.kind == "trace" }.map { $0.path[1] }
    #expect(seen.count == 40 && seen.contains("*"), "\(seen)")
    let counts = try #require(try await site.network.counters().hops["10.9.1.2"])
    #expect(counts.limited > 0 && counts.answered >= seen.count { $0 != "*" })
  }
}
