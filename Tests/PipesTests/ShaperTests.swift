import Model
import SystemRuntime
import Testing

@testable import Pipes

@Suite struct ShaperTests {
  private let start = Instant.now

  /// Runs connections that always have something to send, on two workers that look every `tick`, and returns what each
  /// moved and when.
  private func run(
    rate: Double, connections: Int, seconds: Double, tick: Duration = Shaper.tick, late: Duration = .zero
  ) -> (moved: [Int], log: [(time: Double, bytes: Int)]) {
    var shaper = Shaper(rate: rate)
    var moved = Array(repeating: 0, count: connections)
    var log: [(Double, Int)] = []
    for index in 0..<connections {
      shaper.request(.init(worker: index % 2, token: UInt64(index)), at: start)
    }
    var now = start
    var turn = 0
    while now - start < .seconds(seconds) {
      turn += 1
      now += turn % 100 == 0 ? tick + late : tick
      for worker in 0..<2 {
        for grant in shaper.grants(for: worker, at: now) {
          #expect(grant.ticket.worker == worker)
          moved[Int(grant.ticket.token)] += grant.bytes
          log.append(((now - start).inSeconds, grant.bytes))
          shaper.request(grant.ticket, turn: grant.turn, at: now)
        }
      }
    }
    return (moved, log)
  }

  @Test(arguments: [1000.0, 102_400, 1e6, 1e8, 1e10], [1, 4, 16, 50])
  func `the sum is the rate, whoever shares it, and each gets the same`(rate: Double, connections: Int) {
    let (moved, log) = run(rate: rate, connections: connections, seconds: 5)
    let sum = Double(moved.reduce(0, +))
    #expect(abs(sum / (5 * rate) - 1) < 0.03)
    let fair = sum / Double(connections)
    // At a low rate a grant is all that the bucket holds.
    let grant = Double(log.map(\.bytes).max() ?? 0)
    #expect(moved.allSatisfy { abs(Double($0) - fair) <= max(0.1 * fair, grant) })
  }

  @Test(arguments: [102_400.0, 1e7], [1, 4, 16])
  func `no tenth of a second has twice the rate`(rate: Double, connections: Int) {
    let (_, log) = run(rate: rate, connections: connections, seconds: 10, late: .milliseconds(40))
    var first = 0
    var window = 0
    for (time, bytes) in log {
      window += bytes
      while log[first].time <= time - 0.1 {
        window -= log[first].bytes
        first += 1
      }
      #expect(Double(window) <= 2 * rate / 10)
    }
  }

  @Test func `late ticks lose nothing`() {
    let (moved, _) = run(rate: 102_400, connections: 4, seconds: 30, late: .milliseconds(40))
    #expect(abs(Double(moved.reduce(0, +)) / (30 * 102_400) - 1) < 0.03)
  }

  @Test(arguments: [20, 50, 100, 300])
  func `a worker that is kept from looking saves up nothing, and gets its share again`(pause: Int) {
    var shaper = Shaper(rate: 102_400)
    for token in 0..<16 { shaper.request(.init(worker: token % 2, token: UInt64(token)), at: start) }
    var log: [(time: Int, worker: Int, bytes: Int)] = []
    for time in stride(from: 5, through: 10_000, by: 5) {
      // In each second the second worker does not look for a while.
      for worker in 0..<(time % 1000 < pause ? 1 : 2) {
        let now = start + .milliseconds(time)
        for grant in shaper.grants(for: worker, at: now) {
          log.append((time, worker, grant.bytes))
          shaper.request(grant.ticket, turn: grant.turn, at: now)
        }
      }
    }
    for last in log.indices {
      let window = log[...last].reversed().prefix { $0.time > log[last].time - 100 }
      #expect(window.reduce(0) { $0 + $1.bytes } <= 20_480)
    }
    let moved = (0..<2).map { worker in log.reduce(0) { $0 + ($1.worker == worker ? $1.bytes : 0) } }
    #expect(abs(Double(moved[0] + moved[1]) / 1_024_000 - 1) < 0.03)
    #expect(Double(moved[1]) > 0.5 * Double(moved[0]))
  }

  @Test func `silence saves up 50 ms, no more`() {
    var shaper = Shaper(rate: 100_000)
    shaper.request(.init(worker: 0, token: 0), at: start)
    _ = shaper.grants(for: 0, at: start)
    var burst = 0
    for _ in 0..<100 {
      for grant in shaper.grants(for: 0, at: start + .seconds(60)) {
        burst += grant.bytes
        shaper.request(grant.ticket, at: start + .seconds(60))
      }
    }
    #expect(burst <= 5000)
    #expect(burst > 3000)
  }

  @Test func `a rate of one byte per second is one byte per second`() {
    let (moved, _) = run(rate: 1, connections: 1, seconds: 10)
    #expect((9...11).contains(moved[0]))
  }

  @Test func `a new rate holds at once, and no limit frees all`() {
    var shaper = Shaper(rate: 100)
    for token in 0..<5 { shaper.request(.init(worker: 0, token: UInt64(token)), at: start) }
    #expect(shaper.grants(for: 0, at: start).isEmpty)
    shaper.setRate(1e6, at: start)
    #expect(!shaper.grants(for: 0, at: start + .milliseconds(10)).isEmpty)
    for token in 0..<5 { shaper.request(.init(worker: 1, token: UInt64(token)), at: start) }
    shaper.setRate(nil, at: start + .milliseconds(10))
    #expect(shaper.grants(for: 1, at: start + .milliseconds(10)).count == 5)
    #expect(shaper.waiting == 0)
  }

  @Test func `what was granted under another limit is void`() {
    var shaper = Shaper(rate: 1e12)
    // One that its worker has, one that it has not yet fetched.
    for worker in 0..<2 { shaper.request(.init(worker: worker, token: 0), at: start) }
    let now = start + .milliseconds(10)
    let first = shaper.grants(for: 0, at: now)
    #expect(first.map(\.epoch) == [shaper.epoch])
    shaper.setRate(1e12, at: now)
    #expect(first.map(\.epoch) == [shaper.epoch])
    shaper.setRate(10_240, at: now)
    #expect(first.allSatisfy { $0.epoch != shaper.epoch })
    #expect(shaper.grants(for: 1, at: now).allSatisfy { $0.epoch != shaper.epoch })
    shaper.request(.init(worker: 1, token: 1), at: now)
    let later = shaper.grants(for: 1, at: now + .milliseconds(75))
    #expect(later.map(\.epoch) == [shaper.epoch])
    #expect(later.allSatisfy { $0.bytes <= 768 })
  }

  @Test(arguments: [1.0, 2048, 1e9])
  func `those that have gone keep nobody waiting`(rate: Double) {
    var shaper = Shaper(rate: rate)
    let gone = (0..<1500).map { Shaper.Ticket(worker: $0 % 2, token: UInt64($0)) }
    for ticket in gone { shaper.request(ticket, at: start) }
    let live = Shaper.Ticket(worker: 0, token: 9999)
    shaper.request(live, at: start)
    #expect(gone.count { shaper.cancel($0) } == gone.count)
    #expect(shaper.waiting == 1)
    #expect(gone.count { shaper.cancel($0) } == 0)
    #expect(shaper.grants(for: 0, at: start + .seconds(1)).map(\.ticket) == [live])
    #expect(shaper.grants(for: 1, at: start + .seconds(1)).isEmpty)
    #expect([live].count { shaper.cancel($0) } == 0)
    // A place in the middle, and the ticket once more.
    let three = (0..<3).map { Shaper.Ticket(worker: 0, token: $0) }
    for ticket in three { shaper.request(ticket, at: start + .seconds(1)) }
    #expect(three[1...1].count { shaper.cancel($0) } == 1)
    var order: [UInt64] = []
    for second in 2..<6 {
      order += shaper.grants(for: 0, at: start + .seconds(second)).map(\.ticket.token)
    }
    #expect(order == [0, 2])
  }

  @Test func `what was not used can be used by others`() {
    var shaper = Shaper(rate: 100_000)
    shaper.request(.init(worker: 0, token: 1), at: start)
    let now = start + .milliseconds(50)
    guard let grant = shaper.grants(for: 0, at: now).first else {
      Issue.record("no grant")
      return
    }
    shaper.giveBack(grant.bytes)
    var total = 0
    for token in 0..<100 { shaper.request(.init(worker: 0, token: UInt64(token)), at: now) }
    for grant in shaper.grants(for: 0, at: now) { total += grant.bytes }
    #expect(total <= 5000)
    #expect(total > 3000)
  }
}
