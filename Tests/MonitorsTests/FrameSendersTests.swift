import Model
import SystemRuntime
import Testing

@testable import Monitors

@Suite struct FrameSendersTests {
  private let first = Scenario.process(1)
  private let second = Scenario.process(2)
  private let start = Instant.now

  private func divide(_ senders: inout FrameSenders, _ bytes: UInt64) -> [ProcessIdentity: UInt64] {
    divide(&senders, bytes, after: .zero)
  }

  private func divide(
    _ senders: inout FrameSenders, _ bytes: UInt64, after time: Duration
  ) -> [ProcessIdentity: UInt64] {
    Dictionary(
      uniqueKeysWithValues: senders.divide(bytes, at: start + time).map { ($0.process, $0.bytes) })
  }

  @Test func `who sent first is first, and nobody has more than it sent`() {
    var senders = FrameSenders()
    senders.add([first: 100, second: 50], at: start)
    senders.add([first: 30], at: start + .seconds(1))
    #expect(divide(&senders, 0).isEmpty)
    #expect(divide(&senders, 120) == [first: 100, second: 20])
    #expect(divide(&senders, 1_000) == [first: 30, second: 30])
    #expect(divide(&senders, 1_000).isEmpty)
  }

  @Test func `a process has one share, also of what it sent at several times`() {
    var senders = FrameSenders()
    for second in 0..<3 { senders.add([first: 10, self.second: 1], at: start + .seconds(second)) }
    #expect(divide(&senders, 1_000) == [first: 30, second: 3])
  }

  @Test func `frames that never left are not waited for`() {
    var senders = FrameSenders()
    senders.add([first: 100], at: start)
    for _ in 0..<3 { #expect(divide(&senders, 1, after: .seconds(5)) == [first: 1]) }
    senders.add([second: 7], at: start + .seconds(5))
    #expect(divide(&senders, 1, after: .milliseconds(5_001)) == [first: 1])
    #expect(divide(&senders, 1_000, after: .milliseconds(5_001)) == [second: 7])
  }

  @Test func `reports that are far apart wait for their frames as well`() {
    var senders = FrameSenders()
    senders.add([first: 100], at: start)
    #expect(divide(&senders, 0, after: .zero).isEmpty)
    #expect(divide(&senders, 60, after: .seconds(600)) == [first: 60])
    #expect(divide(&senders, 100, after: .seconds(1_200)) == [first: 40])
  }

  @Test func `memory is bounded: the latest are kept`() {
    var senders = FrameSenders()
    for number in 0..<UInt64(FrameSenders.limit + 10) { senders.add([first: number + 1], at: start) }
    let limit = UInt64(FrameSenders.limit)
    #expect(senders.dropped == 10)
    #expect(divide(&senders, .max) == [first: limit * (limit + 1) / 2 + 10 * limit])
  }
}
