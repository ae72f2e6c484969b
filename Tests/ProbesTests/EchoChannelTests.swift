import Lab
import Model
import SystemRuntime
import Testing

@testable import Probes

/// An ICMP socket with what waits for it, in a namespace of its own.
@Suite(.needs(.namespaces)) struct EchoChannelTests {
  private struct Row: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var payload = 41
    var loopback = 65_536
    /// What the router before the target takes; nil without one.
    var path: Int?
    var isDatagram = false
    var isNarrow = false
  }

  private static let rows = [
    Row(testDescription: "a usual interface"),
    Row(testDescription: "by a ping socket", isDatagram: true),
    Row(testDescription: "longer than any need take", payload: 2000, loopback: 1500),
    Row(testDescription: "an interface that takes less", loopback: 68, isNarrow: true),
    Row(testDescription: "by a ping socket, less", loopback: 68, isDatagram: true, isNarrow: true),
    Row(testDescription: "a router that takes less", path: 68, isNarrow: true),
  ]

  /// Requests that are sent at given moments of a clock, and what came back.
  private struct Exchange {
    let channel: EchoChannel
    let row: Row
    let start = Instant.now
    var buffer = EchoBuffer()
    var current: UInt16 = 0
    var refused = 0
    var answers: [EchoToken: Int] = [:]

    init(_ row: Row) throws {
      self.row = row
      channel = try EchoChannel(.v4, EchoPacket(secret: 1), identifier: 77, at: start)
    }

    /// Sends a round of requests, and takes what comes until `isDone`, or for a minute.
    mutating func round(
      _ number: UInt16, _ count: Int, at passed: Double, _ poller: borrowing Poller,
      until isDone: (Exchange) -> Bool
    ) {
      (current, refused, answers) = (number, 0, [:])
      let target = IPAddress(v4: row.path == nil ? 0x7f00_0001 : 0x0a4d_0202)
      let reading = RoundTripClock.Reading(instant: start + .seconds(passed), wall: 0)
      for request in 0..<count {
        channel.add(
          EchoToken(target: 1, round: number, number: UInt16(request)), to: target, zone: 0,
          payload: row.payload)
        guard request % 50 == 49 else { continue }
        channel.flush({ reading }) { if $0.refusal != nil { refused += 1 } }
        take()
      }
      let end = Instant.now + .seconds(60)
      var events = PollEvents(capacity: 1)
      while !isDone(self), case let left = end - .now, left > .zero {
        poller.wait(into: &events, timeout: left)
        take()
      }
    }

    private mutating func take() {
      channel.receive(errors: true, into: &buffer) { token, message in
        switch message {
        case .reply: answers[token, default: 0] += 1
        // Of rounds before, some may still come.
        case .error: if token.round == current { refused += 1 }
        case .sent, .timeExceeded: break
        }
      }
    }
  }

  /// A refusal would be an error of the path, though all that is wrong is that less is done for each request.
  @Test(arguments: rows) private func `at a high rate what is too long for the way is still cut and answered`(
    row: Row
  ) async throws {
    let lab = try await Topology(withC: row.path != nil)
    try await lab.a.ip("link set lo mtu \(row.loopback)")
    if let path = row.path, let c = lab.c {
      try await lab.b.setSysctl("net.ipv4.icmp_ratelimit", to: "0")
      try await lab.b.ip("link set eth1 mtu \(path)")
      try await c.ip("link set eth0 mtu \(path)")
    }
    try await lab.a.setSysctl("net.ipv4.ping_group_range", to: row.isDatagram ? "0 2147483647" : "1 0")
    let (isFast, isNarrow, refused, answers) = try await lab.a.inside {
      let poller = try Poller()
      var exchange = try Exchange(row)
      try exchange.channel.watch(poller, token: 1)
      // After a quarter of a second of so many the rate is high.
      exchange.round(0, 600, at: 0.1, poller) { !$0.answers.isEmpty || $0.refused > 0 }
      // The first that may not be cut tell of the way; by a router they are lost.
      exchange.round(1, 50, at: 0.25, poller) { $0.channel.isNarrow || !row.isNarrow }
      exchange.round(2, 100, at: 0.4, poller) { $0.answers.count == 100 }
      let last = exchange.answers.filter { $0.key.round == 2 }
      return (exchange.channel.isFast, exchange.channel.isNarrow, exchange.refused, last)
    }
    #expect(isFast && isNarrow == row.isNarrow && refused == 0)
    #expect(answers.count == 100 && answers.values.allSatisfy { $0 == 1 })
  }
}
