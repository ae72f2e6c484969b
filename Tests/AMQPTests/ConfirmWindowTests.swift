import Model
import SystemRuntime
import Testing

@testable import AMQP

/// What a broker says of five records that were published in order, and what is known then.
@Suite struct ConfirmWindowTests {
  enum Step: Sendable {
    case ack(UInt64, multiple: Bool = false)
    case nack(UInt64, multiple: Bool = false)
    case returned(Int)
  }

  struct Case: Sendable, CustomTestStringConvertible {
    let name: String
    let steps: [Step]
    var delivered: [UInt64] = []
    var unroutable: [UInt64] = []
    var refused: [UInt64] = []
    /// What is published again when the connection is lost then.
    var again: [UInt64] = []

    var testDescription: String { name }
  }

  static let cases = [
    Case(name: "nothing", steps: [], again: [10, 11, 12, 13, 14]),
    Case(
      name: "in order", steps: [.ack(1), .ack(2), .ack(3), .ack(4), .ack(5)], delivered: [10, 11, 12, 13, 14]),
    Case(
      name: "in another order", steps: [.ack(4), .ack(1), .ack(3)], delivered: [13, 10, 12], again: [11, 14]),
    Case(name: "many at once", steps: [.ack(3, multiple: true)], delivered: [10, 11, 12], again: [13, 14]),
    Case(
      name: "many with a gap", steps: [.ack(2), .ack(4, multiple: true), .ack(5)],
      delivered: [11, 10, 12, 13, 14]),
    Case(name: "all", steps: [.ack(0, multiple: true)], delivered: [10, 11, 12, 13, 14]),
    Case(
      name: "twice", steps: [.ack(2), .ack(2), .ack(2, multiple: true)], delivered: [11, 10],
      again: [12, 13, 14]),
    Case(
      name: "tags that never were", steps: [.ack(9), .nack(7), .ack(.max, multiple: true)],
      delivered: [10, 11, 12, 13, 14]),
    Case(
      name: "a nack", steps: [.ack(1), .nack(2), .ack(3)], delivered: [10, 12], refused: [11],
      again: [13, 14]),
    Case(
      name: "many nacks", steps: [.ack(2), .nack(4, multiple: true)], delivered: [11], refused: [10, 12, 13],
      again: [14]),
    Case(
      name: "a return before its ack", steps: [.returned(12), .ack(3)], unroutable: [12],
      again: [10, 11, 13, 14]),
    Case(
      name: "a return before an ack of many", steps: [.returned(11), .ack(3, multiple: true), .ack(4)],
      delivered: [10, 12, 13], unroutable: [11], again: [14]),
    Case(
      name: "a return and the connection is lost", steps: [.returned(11)], again: [10, 11, 12, 13, 14]),
    Case(
      name: "a return of nothing here", steps: [.returned(99), .ack(1)], delivered: [10],
      again: [11, 12, 13, 14]),
  ]

  @Test(arguments: cases)
  func `what is confirmed`(of row: Case) {
    var window = ConfirmWindow()
    for (index, number) in (10...14).enumerated() {
      let tag = window.publish(.init(number: UInt64(number), record: .numbered(number)))
      #expect(tag == UInt64(index + 1))
    }
    var (delivered, unroutable, refused): ([UInt64], [UInt64], [UInt64]) = ([], [], [])
    for step in row.steps {
      switch step {
      case .ack(let tag, let multiple):
        let confirmation = window.acknowledge(tag, multiple: multiple)
        delivered += confirmation.delivered.map(\.number)
        unroutable += confirmation.unroutable.map(\.entry.number)
        #expect(confirmation.unroutable.allSatisfy { $0.reason == "NO_ROUTE" })
      case .nack(let tag, let multiple): refused += window.refuse(tag, multiple: multiple).map(\.number)
      case .returned(let number): window.noteReturn(of: "id-\(number)", "NO_ROUTE")
      }
    }
    #expect(delivered == row.delivered && unroutable == row.unroutable && refused == row.refused)
    #expect(window.count == row.again.count)
    #expect(window.disconnect().map(\.number) == row.again)
    // The next channel counts from 1, and nothing of the last is known there.
    #expect(window.count == 0 && window.publish(.init(number: 1, record: .numbered(11))) == 1)
    #expect(window.acknowledge(1, multiple: false).delivered.map(\.number) == [1])
  }

  @Test func `the longest is known to be too long`() {
    var window = ConfirmWindow()
    for number in 1...3 {
      window.publish(.init(number: UInt64(number), record: .numbered(number, size: number == 2 ? 9 : 8)))
    }
    #expect(window.takeLongest()?.number == 2 && window.disconnect().map(\.number) == [1, 3])
    #expect(window.takeLongest() == nil)
  }

  @Test func `each record is confirmed once whatever the order`() {
    var random = SystemRandomNumberGenerator()
    for _ in 0..<200 {
      var window = ConfirmWindow()
      let count = Int.random(in: 1...40, using: &random)
      for number in 1...count { window.publish(.init(number: UInt64(number), record: .numbered(number))) }
      var seen: [UInt64] = []
      while window.count > 0 {
        let tag = UInt64.random(in: 0...UInt64(count + 1), using: &random)
        let isMultiple = Bool.random(using: &random)
        let taken =
          Bool.random(using: &random)
          ? window.refuse(tag, multiple: isMultiple)
          : window.acknowledge(tag, multiple: isMultiple).delivered
        seen += taken.map(\.number)
      }
      #expect(seen.sorted() == (1...UInt64(count)).map { $0 })
    }
  }
}

/// How long a broker may take.
@Suite struct DeliveryWatchTests {
  private let start = Instant.now
  private func at(_ seconds: Double) -> Instant { start + .seconds(seconds) }

  @Test func `time counts only while something waits, from the last confirmation`() {
    var watch = DeliveryWatch(unconfirmed: .seconds(60), blocked: .seconds(30))
    watch.note(isOwed: false, at: at(0))
    #expect(watch.verdict(at: at(1000)) == nil && watch.nextDeadline == nil)
    watch.note(isOwed: true, at: at(1000))
    watch.note(isOwed: true, at: at(1050))
    #expect(watch.verdict(at: at(1059)) == nil && watch.nextDeadline == at(1060))
    #expect(watch.verdict(at: at(1060)) == .unconfirmed(.seconds(60)))
    watch.succeed(at: at(1059))
    #expect(watch.verdict(at: at(1118)) == nil && watch.nextDeadline == at(1119))
    watch.note(isOwed: false, at: at(1119))
    #expect(watch.nextDeadline == nil)
  }

  @Test func `a broker that blocks has the time for that alone`() {
    var watch = DeliveryWatch(unconfirmed: .seconds(10), blocked: .seconds(30))
    watch.note(isOwed: true, at: at(0))
    watch.note(isBlocked: true, at: at(5))
    watch.note(isBlocked: true, at: at(20))
    #expect(watch.isBlocked && watch.verdict(at: at(34)) == nil)
    #expect(watch.verdict(at: at(35)) == .blocked(.seconds(30)))
    watch.note(isBlocked: false, at: at(34))
    #expect(!watch.isBlocked && watch.nextDeadline == at(39))
    watch.note(isOwed: false, at: at(40))
    watch.note(isBlocked: true, at: at(40))
    #expect(watch.nextDeadline == nil)
    watch.note(isOwed: true, at: at(500))
    #expect(watch.nextDeadline == at(530))
  }

  @Test func `blocks in turns and lost connections do not begin the time again`() {
    var watch = DeliveryWatch(unconfirmed: .seconds(60), blocked: .seconds(60))
    watch.note(isOwed: true, at: at(0))
    // A broker in alarm, behind a proxy that ends each connection after 8 s; it blocks 2 s after each begin.
    var now = 0.0
    while now < 1000, watch.verdict(at: at(now)) == nil {
      watch.note(isBlocked: now.truncatingRemainder(dividingBy: 10) >= 2, at: at(now))
      watch.note(isOwed: true, at: at(now))
      now += 1
    }
    #expect(now == 76 && watch.verdict(at: at(now)) == .blocked(.seconds(60)))
    watch.succeed(at: at(now))
    #expect(watch.nextDeadline == at(now + 60))
    watch.note(isBlocked: false, at: at(now + 1))
    #expect(watch.nextDeadline == at(now + 61))
  }

  @Test func `without limits it waits for ever`() {
    var watch = DeliveryWatch(unconfirmed: nil, blocked: nil)
    watch.note(isOwed: true, at: at(0))
    #expect(watch.verdict(at: at(1e6)) == nil)
    watch.note(isBlocked: true, at: at(1))
    #expect(watch.verdict(at: at(1e6)) == nil && watch.nextDeadline == nil)
  }
}
