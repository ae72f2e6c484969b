import Lab
import Testing

/// What traceroute(8) and a sender of probes with chosen hop limits see of the way to a target.
@Suite(.needs(.tun), .timeLimit(.minutes(10)))
struct PathTests {
  static let scenario = """
    [target 10.9.0.5]
    path = 10.9.1.1 10.9.1.2 10.9.1.3
    [target fd09:2::5]
    path = fd09:1::1 fd09:1::2 fd09:1::3
    """

  /// The addresses of a trace, `*` where none answered.
  static func hops(_ text: String) -> [String] {
    text.split(separator: "\n").dropFirst().compactMap {
      $0.split(separator: " ").dropFirst().first.map(String.init)
    }
  }

  @Test(arguments: ["", "-I ", "-T "])
  func `a trace has all hops in their order`(method: String) async throws {
    let site = try await Site(Self.scenario)
    for (target, path) in [
      ("10.9.0.5", ["10.9.1.1", "10.9.1.2", "10.9.1.3", "10.9.0.5"]),
      ("fd09:2::5", ["fd09:1::1", "fd09:1::2", "fd09:1::3", "fd09:2::5"]),
    ] {
      let text = try await site.text("traceroute \(method)-n -q 1 -w 60 \(target)")
      #expect(Self.hops(text) == path, "\(text)")
    }
  }

  @Test func `a silent hop forwards`() async throws {
    let site = try await Site(Self.scenario)
    try await site.network.set("hop 10.9.1.2 silent on")
    let silent = try await site.text("traceroute -n -q 1 -w 5 10.9.0.5")
    #expect(Self.hops(silent) == ["10.9.1.1", "*", "10.9.1.3", "10.9.0.5"], "\(silent)")
    try await site.network.set("hop 10.9.1.2 silent off")
    try await site.network.set("hop 10.9.1.2 address 10.9.7.7")
    let moved = try await site.text("traceroute -n -q 1 -w 60 10.9.0.5")
    #expect(Self.hops(moved) == ["10.9.1.1", "10.9.7.7", "10.9.1.3", "10.9.0.5"], "\(moved)")
    try await site.network.set("target 10.9.0.5 path 10.9.1.1 10.9.1.9")
    let rerouted = try await site.text("traceroute -n -q 1 -w 60 10.9.0.5")
    #expect(Self.hops(rerouted) == ["10.9.1.1", "10.9.1.9", "10.9.0.5"], "\(rerouted)")
  }

  /// What a hop answers, what traceroute(8) prints of it, and its ICMP type and code.
  static let refusals: [(target: String, answer: String, sign: String, type: Int, code: Int)] = [
    ("10.9.0.5", "unreachable 0", "!N", 3, 0), ("10.9.0.5", "unreachable 1", "!H", 3, 1),
    ("10.9.0.5", "prohibited", "!X", 3, 13), ("fd09:2::5", "unreachable 0", "!N", 1, 0),
    ("fd09:2::5", "unreachable 3", "!H", 1, 3), ("fd09:2::5", "prohibited", "!X", 1, 1),
  ]

  @Test(arguments: refusals)
  func `a hop refuses to forward`(target: String, answer: String, sign: String, type: Int, code: Int)
    async throws
  {
    let site = try await Site(Self.scenario)
    let hop = target.contains(":") ? "fd09:1::2" : "10.9.1.2"
    try await site.network.set("hop \(hop) answer \(answer)")
    let text = try await site.text("traceroute -n -q 1 -w 60 \(target)")
    #expect(Self.hops(text).last == hop && text.contains(sign), "\(text)")
    let answers = try await Probes.answers("echo \(target) 3", in: site.host, of: site.network)
    #expect(answers.map(\.probe) == [0, 1, 2], "\(answers)")
    #expect(answers.allSatisfy { $0.type == type && $0.code == code && $0.from == hop && $0.valid != false })
  }

  @Test func `a packet too big is told the next MTU`() async throws {
    let site = try await Site(Self.scenario)
    for (target, hop) in [("10.9.0.5", "10.9.1.2"), ("fd09:2::5", "fd09:1::2")] {
      try await site.network.set("hop \(hop) answer too-big 1300")
      let big = try await site.text("ping -n -c 2 -i 0.2 -M do -s 1400 \(target)")
      #expect(big.lowercased().contains("mtu=1300") || big.contains("mtu = 1300"), "\(big)")
      let small = try await site.text("ping -n -c 1 -M do -s 1000 \(target)")
      #expect(small.contains("1 received"), "\(small)")
    }
  }

  @Test func `an error quotes what the RFCs let it, or less`() async throws {
    let site = try await Site(Self.scenario)
    for (target, hop, most, header) in [
      ("10.9.0.5", "10.9.1.1", 548, 20), ("fd09:2::5", "fd09:1::1", 1232, 40),
    ] {
      let small = try await Probes.answers("udp \(target) 1 1 100", in: site.host, of: site.network)
      #expect(small.map(\.quoted) == [header + 8 + 100])
      let large = try await Probes.answers("udp \(target) 1 1 1400", in: site.host, of: site.network)
      #expect(large.map(\.quoted) == [most])
      try await site.network.set("hop \(hop) quote 8")
      let least = try await Probes.answers("echo \(target) 1 1 1400", in: site.host, of: site.network)
      #expect(least.map(\.quoted) == [header + 8])
      #expect(least.map(\.probe) == [0])
    }
  }

  @Test(arguments: ["10.9.0.5", "fd09:2::5"])
  func `of several paths a flow has one`(target: String) async throws {
    let prefix = target.contains(":") ? "fd09:1::" : "10.9.1."
    let site = try await Site(
      "[target \(target)]\npath = \(prefix)1 \(prefix)2 \(prefix)4 | \(prefix)1 \(prefix)3 \(prefix)4")
    // traceroute -U has one destination port; with a source port of its own too it is one flow.
    var seen = Set<String>()
    for port in 40000..<40024 {
      var ways = Set<String>()
      for _ in 0..<2 {
        let text = try await site.text("traceroute -n -q 2 -w 60 -f 2 -m 2 -U --sport=\(port) \(target)")
        for way in 2...3 where text.contains(" \(prefix)\(way) ") { ways.insert("\(way)") }
      }
      #expect(ways.count == 1)
      seen.formUnion(ways)
      if seen.count == 2 { break }
    }
    #expect(seen == ["2", "3"])
  }

  @Test func `echo requests are told apart by checksum or by identifier`() async throws {
    for (hash, ways) in [("checksum", 2), ("identifier", 1)] {
      let site = try await Site(
        "[target 10.9.0.5]\npath = 10.9.1.2 | 10.9.1.3", settings: "hash = \(hash)")
      let answers = try await Probes.answers("echo 10.9.0.5 64 1", in: site.host, of: site.network)
      #expect(answers.count == 64)
      #expect(Set(answers.map(\.from)).count == ways)
    }
  }

  @Test func `a limited hop answers few, the target all`() async throws {
    let site = try await Site("[hop 10.9.1.1]\nlimit = 0.001 3\n[target 10.9.0.5]\npath = 10.9.1.1")
    let limited = try await Probes.answers("echo 10.9.0.5 50 1", in: site.host, of: site.network)
    #expect(limited.compactMap(\.probe) == [0, 1, 2])
    let whole = try await Probes.answers("echo 10.9.0.5 50", in: site.host, of: site.network)
    #expect(whole.count == 50)
    let counts = try await site.network.stop().hops["10.9.1.1"]
    #expect(counts?.limited == 47 && counts?.forwarded == 50, "\(String(describing: counts))")
  }

  @Test func `what a hop drops is the target's loss`() async throws {
    let site = try await Site("[hop 10.9.1.1]\ndrop = 40\n[target 10.9.0.5]\npath = 10.9.1.1")
    let answers = try await Probes.answers("echo 10.9.0.5 500", in: site.host, of: site.network)
    let counters = try await site.network.stop()
    let counts = try #require(counters.targets["10.9.0.5"])
    #expect(counts.received == 500 && counts.sum == 500)
    #expect(counters.hops["10.9.1.1"]?.dropped == counts.lost && (130...270).contains(counts.lost))
    #expect(answers.count == counts.answered)
  }
}
