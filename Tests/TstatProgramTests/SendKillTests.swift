import Foundation
import Glibc
import Lab
import Testing

/// At least once: whatever is killed, and when, the rows that arrive are the rows of the logs.
///
/// The points are of a generator; `make trials` takes other ones in each trial.
@Suite(.rabbitServer, .serialized) struct SendKillTests {
  private static let window = 8
  private static let trial = Trials.round ?? 0

  private let server: RabbitServer

  init() throws { server = try #require(RabbitServer.current) }

  /// Three directories with some hundred messages for a queue of their own.
  private final class Shipment {
    let site: SendSite
    let queue: String
    let all: [SendSite.Message]
    /// How many messages each directory has.
    let sizes: [String: Int]
    var kills = 0

    init(_ server: RabbitServer, _ queue: String) async throws {
      self.queue = queue
      site = try SendSite(SendSite.rabbit(port: server.port, queue: queue))
      try site.makeThree(messages: 40)
      all = try await site.messages()
      sizes = Dictionary(grouping: all, by: \.directory).mapValues(\.count)
    }

    /// How many messages the disk tells of as acknowledged.
    var progress: Int {
      let marked = Set(site.marked)
      return sizes.reduce(0) { sum, size in
        // The mark comes before the state file goes.
        sum + (marked.contains(size.key) ? size.value : min(site.acknowledged(size.key), size.value))
      }
    }

    func start() throws -> ChildProcess { try site.start(["--window", "\(SendKillTests.window)"]) }

    /// Waits until a run has ended, or so much is acknowledged.
    func wait(for run: ChildProcess, until goal: Int) async throws {
      let _: Bool = try await eventually(
        "\(goal) acknowledgements", state: { "\(progress); \(run.errors.text)" }
      ) {
        run.status != nil || progress >= goal ? true : nil
      }
    }

    /// What is marked has been received as a whole.
    func expectMarked(_ received: [RabbitMessage]) {
      let ids = Set(received.map(\.id))
      for name in site.marked {
        #expect(all.allSatisfy { $0.directory != name || ids.contains($0.id) }, "\(name) is marked too soon")
      }
    }

    /// All has been received, what came twice has the same id and content, and nothing is left to do.
    func expectAll(_ received: [RabbitMessage], in server: RabbitServer) async throws {
      let digests = Dictionary(grouping: received, by: \.id).mapValues { Set($0.map(\.digest)) }
      #expect(digests == Dictionary(uniqueKeysWithValues: all.map { ($0.id, [$0.digest]) }))
      #expect(
        received.count - all.count <= SendKillTests.window * kills, "\(received.count) for \(all.count)")
      #expect(site.marked == sizes.keys.sorted())
      for name in site.marked {
        #expect(site.read("\(name)/.processed") == "processed" && !site.exists("\(name)/.tstat_send"))
      }
      let again = try await site.run()
      #expect(again.status == .exited(0) && again.saysNothingIsLeft, "\(again.errors)")
      #expect(try await server.count(queue) == 0)
    }
  }

  @Test func `the program is killed at forty-two points`() async throws {
    var random = SplitMix64(seed: 0x7374_6174 + Self.trial)
    var kills = 0
    var round = 0
    while kills < 42 {
      round += 1
      let shipment = try await Shipment(server, "killed-\(round)")
      var received: [RabbitMessage] = []
      while true {
        let run = try shipment.start()
        try await shipment.wait(for: run, until: shipment.progress + Int.random(in: 0...40, using: &random))
        usleep(UInt32.random(in: 0...20_000, using: &random))
        let status = try await run.stop(SIGKILL)
        // There is no queue before the first run has made it.
        if try await server.count(shipment.queue) != nil {
          received += try await server.drain(shipment.queue)
        }
        shipment.expectMarked(received)
        if status == .exited(0) { break }
        #expect(status == .signalled(SIGKILL), "\(run.errors.text)")
        shipment.kills += 1
      }
      kills += shipment.kills
      // What was on its way when a run was killed.
      received += try await server.drain(shipment.queue)
      try await shipment.expectAll(received, in: server)
    }
  }

  @Test func `the broker is killed at eight points, with the program or under it`() async throws {
    var random = SplitMix64(seed: 0x6272_6f6b + Self.trial)
    let wanted = Self.trial == 0 ? 8 : 12
    for round in 1...wanted { try await server.declare("broken-\(round)") }
    try await server.keepQueues()
    var kills = 0
    var round = 0
    while kills < wanted {
      round += 1
      let shipment = try await Shipment(server, "broken-\(round)")
      var run = try shipment.start()
      while true {
        let goal = kills < wanted ? shipment.progress + Int.random(in: 0...30, using: &random) : .max
        try await shipment.wait(for: run, until: goal)
        if let status = run.status {
          if status == .exited(0) { break }
          // It came when there was no broker.
          #expect(status == .exited(75) && shipment.kills > 0, "\(run.errors.text)")
          run = try shipment.start()
          continue
        }
        try await server.kill()
        (kills, shipment.kills) = (kills + 1, shipment.kills + 1)
        switch Int.random(in: 0...2, using: &random) {
        case 0:
          // The run goes on when the broker is back.
          try await server.restart()
        case 1:
          // The run is ended; another one finds no broker.
          try await end(run)
          if shipment.progress < shipment.all.count {
            let absent = try await SendSite.answer(try shipment.start())
            #expect(absent.status == .exited(75) && absent.complaints.count == 1, "\(absent.errors)")
            // The kernel may still be about to close what the broker had.
            #expect(
              absent.errors.contains("does not take a connection")
                || absent.errors.contains("ends the connection"),
              "\(absent.errors)")
          }
          try await server.restart()
          run = try shipment.start()
        default:
          // Both are killed.
          try await run.stop(SIGKILL)
          try await server.restart()
          run = try shipment.start()
        }
        let marked = shipment.site.marked.compactMap { shipment.sizes[$0] }.reduce(0, +)
        let count = try await server.count(shipment.queue) ?? 0
        #expect(count >= marked, "\(count) messages after kill \(shipment.kills), and \(marked) are marked")
      }
      try await shipment.expectAll(try await server.drain(shipment.queue), in: server)
    }
  }

  @Test func `a broker that blocks is waited for, but not longer than --timeout`() async throws {
    try await server.declare("blocked")
    let site = try SendSite(SendSite.rabbit(port: server.port, queue: "blocked"))
    try site.makeThree(messages: 40)
    let all = try await site.messages()
    try await server.control("set_vm_memory_high_watermark absolute 1")
    let short = try await site.run(["--timeout", "1"])
    #expect(short.status == .exited(75) && site.marked.isEmpty, "\(short.errors)")
    #expect(short.errors.contains("has taken no messages for 1 s"), "\(short.errors)")
    let run = try site.start()
    try await run.errors.first("the block") { $0.contains("takes no messages for now") ? () : nil }
    try await server.control("set_vm_memory_high_watermark 0.4")
    let answer = try await SendSite.answer(run)
    #expect(answer.status == .exited(0) && site.marked.count == 3, "\(answer.errors)")
    #expect(Set(try await server.drain("blocked").map(\.id)) == Set(all.map(\.id)))
  }

  /// Ends a run that waits for its broker, by two signals.
  private func end(_ run: ChildProcess) async throws {
    for _ in 1...2 {
      run.signal(SIGTERM)
      let _: Bool = try await eventually("what the signal does", state: { run.errors.text }) {
        run.status != nil || run.errors.text.contains("interrupted") ? true : nil
      }
    }
    let ended = try await SendSite.answer(run)
    #expect([.exited(0), .exited(75)].contains(ended.status), "\(ended.errors)")
  }
}
