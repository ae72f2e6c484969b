import Foundation
import Lab
import Testing

/// Who an alert of a probe names, on a host with two links.
@Suite(.needs(.namespaces), .serialized, .timeLimit(.minutes(5)))
struct AggregatorPathTests {
  private typealias Event = [String: Any]

  /// A and B with a second wire: `eth1` with 10.78.1.1 and 10.78.1.2.
  private static func twoLinks() async throws -> Topology {
    let lab = try await Topology()
    try await Topology.connect(lab.a, "eth1", lab.b, "eth1")
    try await lab.a.ip("addr add 10.78.1.1/24 dev eth1")
    try await lab.b.ip("addr add 10.78.1.2/24 dev eth1")
    try await lab.a.trackConnections()
    return lab
  }

  /// Waits for the first alert of each of these targets.
  private func alerts(of targets: [String], _ aggregator: Reporter) async throws -> [String: Event] {
    try await eventually("alerts of \(targets)", state: { aggregator.state }) {
      let alerts = try aggregator.process.output.lines.filter { $0.contains("\"event\":\"alert\"") }.map {
        try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? Event)
      }
      let first = Dictionary(alerts.map { ($0["subject"] as? String ?? "", $0) }) { first, _ in first }
      return targets.allSatisfy { first[$0] != nil } ? first : nil
    }
  }

  private func top(_ alert: Event?) -> [String] {
    (alert?["top"] as? [Event] ?? []).map { "\($0["name"] ?? "") \($0["direction"] ?? "")" }
  }

  @Test func `an alert names who moves most on the way to its target, and nobody of another way`()
    async throws
  {
    let lab = try await Self.twoLinks()
    let folder = try ScratchFolder()
    let server = try Traffic("tcp-serve", in: lab.b)
    let port = try await server.ready()
    let local = try Traffic("tcp-serve", in: lab.a)
    let localPort = try await local.ready()
    let apps = try folder.write(
      "[Backup]\na=note backup\n[Web]\nb=note web\n[Cache]\nc=note cache\n", to: "apps")
    let monitors = try folder.write(
      """
      [everything]
      type=monitor
      [near]
      type=ping
      host=10.77.1.2
      count=3
      interval=0.2
      [far]
      type=ping
      host=10.78.1.2
      count=3
      interval=0.2
      [six]
      type=ping
      host=fd77::2
      count=3
      interval=0.2

      """, to: "monitors")
    let mail = try await TestServer("mail_server", ["starttls"], in: lab.a)
    let rules = try folder.write(
      "[path]\nloss_threshold=20 %\ninterval=2\n"
        + "mail_config=\(try folder.write(mail.mailConfiguration, to: "mail.json"))\n"
        + "notification_command=sh -c 'echo $BWMON_SUBJECT: $BWMON_TOP >>\(folder.path)/said'\n", to: "rules")
    let aggregator = try Reporter(
      [
        "--monitor-config", monitors, "--app-config", apps, "--notification-config", rules, "--spool",
        "\(folder.path)/state",
      ],
      program: "runaggregator", interval: "0.5", in: lab.a)
    // Much over eth1, less over eth0, most within the host.
    let load = "--send 1440000000 --note"
    let senders = [
      try Traffic("tcp 10.78.1.2 \(port) --rate 400000 \(load) backup", in: lab.a),
      try Traffic("tcp 10.77.1.2 \(port) --rate 100000 \(load) web", in: lab.a),
      try Traffic("tcp 127.0.0.1 \(localPort) --rate 800000 \(load) cache", in: lab.a),
    ]
    try await aggregator.report("all at work") { report in
      ["Backup", "Web", "Cache"].allSatisfy { report.row(named: $0)?.sentRate ?? 0 > 50_000 }
    }
    try await lab.b.setSysctl("net.ipv4.icmp_echo_ignore_all", to: "1")
    try await lab.b.setSysctl("net.ipv6.icmp.echo_ignore_all", to: "1")
    let alerts = try await alerts(of: ["near", "far", "six"], aggregator)
    #expect(top(alerts["near"]) == ["Web sent"], "\(alerts)")
    #expect(top(alerts["far"]) == ["Backup sent"], "\(alerts)")
    // IPv6 goes by eth0 as well.
    #expect(top(alerts["six"]) == ["Web sent"], "\(alerts)")
    for name in ["near", "far"] {
      let share = (alerts[name]?["top"] as? [Event])?.first?["percent"] as? Double
      #expect(share ?? 0 > 80, "\(alerts)")
    }
    try await eventually("commands", state: { folder.read("said") }) {
      let said = folder.read("said").split(separator: "\n")
      return said.contains { $0.wholeMatch(of: #/near: Web \d+ % of sent bytes/#) != nil }
        && said.contains { $0.wholeMatch(of: #/far: Backup \d+ % of sent bytes/#) != nil } ? () : nil
    }
    let mails = try await mail.mails(count: 1).map(\.data).joined()
    #expect(mails.firstMatch(of: #/BWMON_TOP: (Web|Backup) \d+ % of sent bytes/#) != nil, "\(mails)")
    let line =
      #/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d: near exceeding 'loss' limit 20\.00: \d+\.\d\d %; Web \d+ % of sent bytes/#
    #expect(aggregator.process.errors.lines.contains { $0.wholeMatch(of: line) != nil })
    try await aggregator.stop()
    for sender in senders { sender.process.signal(SIGKILL) }
  }

  @Test func `a pipe is named on the way to its target and on that of its clients`() async throws {
    let lab = try await Self.twoLinks()
    let folder = try ScratchFolder()
    let server = try Traffic("tcp-serve", in: lab.b)
    let port = try await server.ready()
    let apps = try folder.write("[Relay]\na=^pipe-8080\n[Web]\nb=note web\n", to: "apps")
    let probes = ["near 10.77.1.2", "far 10.78.1.2"].map { line in
      let words = line.split(separator: " ")
      return "[\(words[0])]\ntype=ping\nhost=\(words[1])\ncount=3\ninterval=0.2\n"
    }
    let monitors = try folder.write(
      "[everything]\ntype=monitor\n[p]\ntype=pipe\nport=8080\nnewhost=10.78.1.2\nnewport=\(port)\n"
        + probes.joined(), to: "monitors")
    let rules = try folder.write("[path]\nloss_threshold=20 %\n", to: "rules")
    let aggregator = try Reporter(
      ["--monitor-config", monitors, "--app-config", apps, "--notification-config", rules],
      program: "runaggregator", interval: "0.5", in: lab.a)
    try await aggregator.report("a first report")
    // B's client comes by eth0, the target is behind eth1.
    let load = "--send 1440000000 --note"
    let client = try Traffic("tcp 10.77.1.1 8080 --rate 400000 \(load) client", in: lab.b)
    let web = try Traffic("tcp 10.77.1.2 \(port) --rate 50000 \(load) web", in: lab.a)
    try await aggregator.report("all at work") { report in
      (report.row(named: "Relay")?.receivedRate ?? 0) > 100_000
        && (report.row(named: "Web")?.sentRate ?? 0) > 10_000
    }
    // The interfaces of its addresses are asked for once it has moved something.
    let seen = try aggregator.reports().count
    var count = 0
    try await aggregator.report("three reports more") { _ in
      count += 1
      return count > seen + 3
    }
    try await lab.b.setSysctl("net.ipv4.icmp_echo_ignore_all", to: "1")
    let alerts = try await alerts(of: ["near", "far"], aggregator)
    #expect(top(alerts["near"]).first == "Relay received", "\(alerts)")
    #expect(top(alerts["far"]) == ["Relay sent"], "\(alerts)")
    try await aggregator.stop()
    for sender in [client, web] { sender.process.signal(SIGKILL) }
  }
}
