import Lab
import Testing

/// connvitals' traces.
@Suite(.needs(.tun), .timeLimit(.minutes(10)))
struct ConnVitalsTraceTests {
  @Test(arguments: [("10.9.0.5", "10.9.1."), ("fd09:2::5", "fd09:1::")], SocketKind.allCases)
  func `slow hops are all there`(way: (target: String, hop: String), kind: SocketKind) async throws {
    let hops = (1...3).map { "\(way.hop)\($0)" }
    let sections = hops.enumerated().map { "[hop \($1)]\ndelay = \(60 * ($0 + 1))" }
    let site = try await ProbeSite(
      sections.joined(separator: "\n")
        + "\n[target \(way.target)]\ndelay = 240\npath = \(hops.joined(separator: " "))")
    try await kind.permit(in: site.host)
    let event = try #require(try await site.host.events("-tP --hop-timeout 60 \(way.target)").first)
    #expect(event.path == hops + [way.target] && event.ending == "reached")
    let times = event.hops?.compactMap(\.rtt) ?? []
    #expect(times.count == 4 && zip(times, [60, 120, 180, 240]).allSatisfy { $0 >= $1 }, "\(times)")
    let plain = try await site.host.connvitals("-tP --hop-timeout 60 \(way.target)")
    #expect(
      plain.output.lines.map { $0.split(separator: "\t").first.map(String.init) } == [way.target] + hops + [
        way.target
      ])
    let few = try #require(
      try await site.host.events("-tP --hops 2 --hop-timeout 60 \(way.target)").first)
    #expect(few.path == Array(hops.prefix(2)) && few.ending == "exhausted")
  }

  @Test func `silent hops are stars, and cost one time limit together`() async throws {
    let site = try await ProbeSite(
      """
      [hop 10.9.1.2]
      silent = yes
      [hop 10.9.1.3]
      silent = yes
      [target 10.9.0.5]
      path = 10.9.1.1 10.9.1.2 10.9.1.3
      [target 10.9.0.6]
      path = 10.9.1.1
      silent = yes
      """)
    let events = try await site.host.events("-tP --hops 6 --hop-timeout 2 10.9.0.5 10.9.0.6")
    #expect(events.first { $0.target == "10.9.0.5" }?.path == ["10.9.1.1", "*", "*", "10.9.0.5"])
    #expect(events.first { $0.target == "10.9.0.6" }?.path == ["10.9.1.1", "*", "*", "*", "*", "*"])
    #expect(events.first { $0.target == "10.9.0.6" }?.ending == "exhausted")
  }

  @Test func `a trace ends where the way does`() async throws {
    let site = try await ProbeSite(
      """
      [hop 10.9.1.2]
      answer = unreachable 1
      [target 10.9.0.5]
      path = 10.9.1.1 10.9.1.2 10.9.1.3
      """, settings: "routes = 10.9.0.0/16")
    let event = try #require(try await site.host.events("-tP --hop-timeout 60 10.9.0.5").first)
    #expect(event.path == ["10.9.1.1", "10.9.1.2"] && event.ending == "stopped", "\(event)")
    let none = try #require(try await site.host.events("-tP 192.0.2.1").first)
    #expect(none.path.isEmpty && none.ending == "stopped", "\(none)")
    let plain = try await site.host.connvitals("-tP 192.0.2.1")
    #expect(plain.output.lines == ["192.0.2.1", "*"])
  }

  @Test func `a router that answers seldom is a star there, and no loss at the target`() async throws {
    let site = try await ProbeSite(
      """
      [hop 10.9.1.1]
      limit = 0.001 1
      [target 10.10.0.0/24]
      path = 10.9.1.1 10.9.1.2
      """)
    let hosts = (1...5).map { "10.10.0.\($0)" }
    let events = try await site.host.events(
      "-t -p 20 --timeout 10 --hop-timeout 2 \(hosts.joined(separator: " "))")
    let pings = events.filter { $0.kind == "ping" }
    #expect(pings.count == 5 && pings.allSatisfy { $0.loss == 0 })
    let paths = events.filter { $0.kind == "trace" }
    #expect(paths.filter { $0.path == ["10.9.1.1", "10.9.1.2", $0.target] }.count == 1)
    #expect(paths.filter { $0.path == ["*", "10.9.1.2", $0.target] }.count == 4, "\(paths.map(\.path))")
  }

  @Test(arguments: [("10.9.0.5", "10.9.1."), ("fd09:2::5", "fd09:1::")])
  func `without a privilege a trace is of UDP`(way: (target: String, hop: String)) async throws {
    let hops = (1...3).map { "\(way.hop)\($0)" }
    let site = try await ProbeSite(
      "[target \(way.target)]\npath = \(hops.joined(separator: " "))\n[hop \(hops[1])]\nsilent = yes")
    try await site.host.closePingSockets()
    let copy = try await CopyForEveryone(of: "connvitals")
    func path(_ flags: String) async throws -> [String] {
      let child = try await site.host.connvitals(
        "-tP --format json \(flags) \(way.target)", as: CopyForEveryone.nobody, program: copy.path)
      #expect(child.status == .exited(0))
      #expect(
        child.errors.lines.count == 1 && child.errors.text.contains("traces use UDP"), "\(child.errors.text)")
      return try ProbeEvent(line: try #require(child.output.lines.first)).path
    }
    #expect(try await path("--hop-timeout 3") == [hops[0], "*", hops[2], way.target])
    try await site.network.set("hop \(hops[1]) silent off")
    #expect(try await path("--hop-timeout 60") == hops + [way.target])
    try await site.network.set("hop \(hops[2]) answer prohibited")
    #expect(try await path("--hop-timeout 60") == hops)
    try await site.network.set("hop \(hops[2]) answer normal")
    try await site.network.set("target \(way.target) udp silent")
    let silent = try await path("--hops 5 --hop-timeout 1")
    #expect(silent == hops + ["*", "*"], "\(silent)")
  }
}
