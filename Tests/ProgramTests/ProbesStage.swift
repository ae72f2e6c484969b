import Foundation
import Lab
import Testing

/// A with a server in B to send to, and hosts 10.9.0.2 to 10.9.0.9 behind the router 10.9.1.1.
struct ProbesStage {
  let lab: Topology
  let network: FakeNetwork
  let server: Traffic
  let port: Int
  let folder: ScratchFolder
  let command: String

  init() async throws {
    lab = try await Topology()
    try await lab.a.trackConnections()
    let hosts = (2...9).map { "[target 10.9.0.\($0)]\npath = 10.9.1.1\ntcp = open\n" }.joined()
    network = try await FakeNetwork("[network]\naddresses = 10.9.0.1\n[hop 10.9.1.1]\n\(hosts)", in: lab.a)
    server = try Traffic("tcp-serve", in: lab.b)
    port = try await server.ready()
    folder = try ScratchFolder()
    command = try await folder.write(
      program: """
        #!/bin/sh
        dir=$(dirname "$0")
        { env | grep ^BWMON_ | sort; echo "stdin: $(cat)"; } > "$dir/out.$$"
        mv "$dir/out.$$" "$dir/ran.$BWMON_STATE.$BWMON_MEASURE.$$"

        """, to: "notify.sh")
  }

  /// A monitor of everything, and a section for each target: `gw 10.9.0.2 reference=yes`.
  func monitors(_ pings: [String], more: String = "") throws -> String {
    let sections = pings.map { line in
      let words = line.split(separator: " ")
      let keys = (line.contains("count") ? [] : ["count=3"]) + words.dropFirst(2)
      return "[\(words[0])]\ntype=ping\nhost=\(words[1])\ninterval=0.2\n" + keys.map { "\($0)\n" }.joined()
    }
    return try folder.write(
      "[everything]\ntype=monitor\n" + sections.joined() + more, to: "monitors.cfg")
  }

  func start(
    _ monitors: String, rules: String = "", interval: String = "0.2", wrapper: [String] = []
  ) throws -> Reporter {
    let apps = try folder.write("[Backup]\nrule=note backup\n", to: "apps.cfg")
    var flags = ["--monitor-config", monitors, "--app-config", apps]
    if !rules.isEmpty {
      let text = rules.replacing("COMMAND", with: "notification_command=\(command)\non_resolve=yes")
      flags += ["--notification-config", try folder.write(text, to: "rules.cfg")]
    }
    return try Reporter(flags, program: "runaggregator", interval: interval, in: lab.a, wrapper: wrapper)
  }

  /// Something that sends, until it is killed.
  func backup() throws -> Traffic {
    try Traffic("tcp 10.77.1.2 \(port) --rate 400000 --send 1440000000 --note backup", in: lab.a)
  }

  /// What the command has written for a state and measure.
  func run(_ kind: String, of aggregator: Reporter) async throws -> [String] {
    try await eventually("a command for \(kind)", state: { aggregator.state }) {
      try names(kind).first.map { folder.read($0).split(separator: "\n").map(String.init) }
    }
  }

  func names(_ kind: String = "") throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.hasPrefix("ran.\(kind)") }
  }
}

extension Reporter {
  /// A line of JSON.
  typealias Event = [String: Any]

  /// All events of a kind so far.
  func events(_ kind: String) throws -> [Event] {
    try process.output.lines.filter { $0.contains("\"event\":\"\(kind)\"") }.map {
      try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? Event)
    }
  }

  /// Waits for an event that is as it should be.
  @discardableResult
  func event(_ kind: String, _ awaited: String, where isWanted: (Event) -> Bool) async throws -> Event {
    let found = try await eventually("\(kind): \(awaited)", state: { state }) {
      let status = process.status
      if let event = try events(kind).first(where: isWanted) { return [event] }
      if let status {
        throw LabError.failed(command: process.command, status: "\(status)", output: state)
      }
      return nil
    }
    return found[0]
  }

  /// Waits until each target has so many more rounds in which so much is lost.
  func rounds(_ count: Int, of targets: [String], loss: Double) async throws {
    func counted() throws -> [String: Int] {
      let rounds = try events("probe").filter { $0["loss"] as? Double == loss }
      return Dictionary(grouping: rounds) { $0["target"] as? String ?? "" }.mapValues(\.count)
    }
    let before = try counted()
    try await eventually("\(count) rounds with \(loss) % loss", state: { state }) {
      let now = try counted()
      return targets.allSatisfy { now[$0, default: 0] >= before[$0, default: 0] + count } ? () : nil
    }
  }
}
