import Model
import SystemRuntime
import Netfilter
import Testing

@testable import Monitors

/// When the kernel is asked again for what it says of its table.
@Suite struct StateReaderTests {
  /// A kernel whose answers are counted.
  private final class Kernel {
    var answer = ConntrackState(isAccounting: true)
    var questions = 0

    func read() -> ConntrackState {
      questions += 1
      return answer
    }
  }

  private let kernel = Kernel()
  private let start = Instant.now

  @Test(
    arguments: [
      (3, .seconds(9), 3, false), (3, .seconds(9), 2, false), (3, .milliseconds(1), 4, true),
      (0, .zero, 1, true),
      (3, .seconds(10), 3, true),
    ] as [(Int, Duration, Int, Bool)])
  func `it is believed for ten seconds, unless there are more connections without counters`(
    before: Int, later: Duration, now: Int, isAsked: Bool
  ) {
    var reader = StateReader(kernel.read)
    reader.update(uncounted: before, at: start)
    #expect(kernel.questions == 1)
    reader.update(uncounted: now, at: start + later)
    #expect(kernel.questions == (isAsked ? 2 : 1))
  }

  @Test func `while accounting is off it may be turned on at any time`() {
    var reader = StateReader(kernel.read)
    kernel.answer.isAccounting = false
    for second in 1...3 { reader.update(uncounted: 0, at: start + .milliseconds(second)) }
    #expect(kernel.questions == 3)
    kernel.answer.isAccounting = true
    for second in 4...6 { reader.update(uncounted: 0, at: start + .milliseconds(second)) }
    #expect(kernel.questions == 4 && reader.state.isAccounting == true)
  }

  @Test func `the last reading asks`() {
    var reader = StateReader(kernel.read)
    reader.update(uncounted: 0, at: start)
    reader.refresh()
    reader.update(uncounted: 0, at: start)
    #expect(kernel.questions == 2)
  }

  @Test func `losses are those since the first that the kernel reported, and never fewer`() {
    var reader = StateReader(kernel.read)
    var lost: [UInt64] = []
    for all in [nil, 7, 7, 9, nil, 3, 12] as [UInt64?] {
      kernel.answer.lost = all
      reader.refresh()
      reader.update(uncounted: 0, at: start)
      lost.append(reader.lost)
    }
    #expect(lost == [0, 0, 0, 2, 2, 2, 5])
  }
}
