import Foundation
import Lab
import Testing

/// Reports that go to an exchange of RabbitMQ (--publish-config), over failures of the broker and of the program.
@Suite(.needs(.namespaces), .timeLimit(.minutes(10))) struct AggregatorRabbitTests {
  @Test
  func `every record is in the queue when the broker and the program were killed, and copies have one id`()
    async throws
  {
    let namespace = try await NetworkNamespace()
    let broker = try await RabbitServer(in: namespace)
    try await broker.exchange("bwmon")
    try await broker.declare("all")
    let folder = try ScratchFolder()
    try folder.write(
      "[publish]\nhost=localhost\nport=\(broker.port)\nusername=guest\npassword=guest\nuse_ssl=no\nvhost=/\n"
        + "exchange=bwmon\nevents=usage\n", to: "publish.cfg")
    func start() throws -> ChildProcess {
      try namespace.start(
        [
          Program.path("runaggregator"), "--format", "json", "--interval", "0.1", "--publish-config",
          "\(folder.path)/publish.cfg", "--spool", "\(folder.path)/state",
        ])
    }
    let first = try start()
    // Nothing is bound yet: what no queue takes is not lost.
    _ = try await first.errors.first("a warning") { $0.contains("unroutable") ? () : nil }
    try await broker.bind("all", to: "bwmon", key: "bwmon.#")
    _ = try await eventually("messages", state: { first.errors.text }) {
      try await broker.count("all") ?? 0 > 5 ? true : nil
    }
    try await broker.keepQueues()
    try await broker.kill()
    _ = try await first.errors.first("a second warning") { $0.contains("nothing is published") ? () : nil }
    #expect(try await first.stop(SIGKILL) == .signalled(SIGKILL))
    try await broker.restart()
    let second = try start()
    let before = try await broker.count("all") ?? 0
    _ = try await eventually("more messages", state: { second.errors.text }) {
      try await broker.count("all") ?? 0 > before + 10 ? true : nil
    }
    #expect(try await second.stop() == .exited(0))
    let waiting = try FileManager.default.contentsOfDirectory(atPath: "\(folder.path)/state/publish")
    let messages = try await broker.drain("all")
    let host = ProcessInfo.processInfo.hostName.replacing(".", with: "_")
    #expect(
      messages.allSatisfy { $0.key == "bwmon.\(host).usage" && $0.mode == 2 && $0.app == "runaggregator" })
    for copies in Dictionary(grouping: messages, by: \.id).values {
      #expect(Set(copies.map(\.digest)).count == 1)
    }
    let arrived = messages.compactMap { $0.id?.split(separator: "-").last }.compactMap { Int($0) }
    let rest = waiting.compactMap { Int($0.prefix { $0 != "." }) }
    let numbers = Set(arrived + rest)
    #expect(numbers == Set(0...(numbers.max() ?? 0)), "\(numbers.sorted())")
  }

  @Test func `alerts arrive, each once, where no queue takes the reports`() async throws {
    let namespace = try await NetworkNamespace()
    let broker = try await RabbitServer(in: namespace)
    try await broker.exchange("bwmon")
    try await broker.declare("alerts")
    try await broker.bind("alerts", to: "bwmon", key: "bwmon.*.alert")
    let folder = try ScratchFolder()
    try folder.write(
      "[publish]\nhost=localhost\nport=\(broker.port)\nusername=guest\npassword=guest\nuse_ssl=no\nvhost=/\n"
        + "exchange=bwmon\nevents=usage,alert\nwindow=2\nspool_size=128k\n", to: "publish.cfg")
    try folder.write("[gate]\ntype=ping\nhost=127.0.0.1\ncount=1\ninterval=0.2\n", to: "monitors.cfg")
    try folder.write("[Gateway]\ndown=yes\non_resolve=yes\n", to: "rules.cfg")
    let program = try namespace.start([
      Program.path("runaggregator"), "--format", "json", "--interval", "0.1", "--publish-config",
      "\(folder.path)/publish.cfg", "--spool", "\(folder.path)/state", "--monitor-config",
      "\(folder.path)/monitors.cfg", "--notification-config", "\(folder.path)/rules.cfg",
    ])
    // The place is full of reports.
    _ = try await program.errors.first("a warning") { $0.contains("records are dropped") ? () : nil }
    try await namespace.nft(
      "table inet gate { chain in { type filter hook input priority 0; icmp type echo-request drop; }; }")
    _ = try await eventually("an alert", state: { program.errors.text }) {
      try await broker.count("alerts") == 1 ? true : nil
    }
    try await namespace.nft("delete table inet gate")
    _ = try await eventually("its end", state: { program.errors.text }) {
      try await broker.count("alerts") == 2 ? true : nil
    }
    #expect(try await program.stop() == .exited(0))
    let messages = try await broker.drain("alerts")
    #expect(messages.count == 2 && Set(messages.map(\.id)).count == 2)
    #expect(program.errors.lines.count { $0.contains("are set aside") && $0.contains("unroutable") } == 1)
    #expect(program.errors.lines.count { $0.contains("records are dropped") } == 1)
    #expect(!program.errors.text.contains("nothing is published"))
  }
}
