import Model
import Publishing
import Synchronization

/// Sinks that do what the test says, and what they were given.
final class OtherSide: Sendable {
  struct State {
    var sinks = 0
    var records: [Record] = []
    var answer: @Sendable (Record) -> RecordOutcome?
    var warnings: [Warning] = []
    var held: [(UInt64, @Sendable (RecordOutcome) -> Void)] = []
  }

  private struct Sink: RecordSink {
    let side: OtherSide
    let report: @Sendable (RecordOutcome) -> Void

    func submit(_ record: Record, number: UInt64) {
      let answer = side.state.withLock { state in
        state.records.append(record)
        let answer = state.answer(record)
        if answer == nil { state.held.append((number, report)) }
        return answer
      }
      switch answer {
      case .delivered: report(.delivered(number))
      case .refused(_, let failure): report(.refused(number, failure))
      case .some(let other): report(other)
      case nil: break
      }
    }

    func stop() {}
  }

  private let state: Mutex<State>

  init(_ answer: @escaping @Sendable (Record) -> RecordOutcome?) { state = Mutex(State(answer: answer)) }

  var make: Publisher.MakeSink {
    { report throws(RecordFailure) in
      self.state.withLock { $0.sinks += 1 }
      return Sink(side: self, report: report)
    }
  }

  func answer(_ answer: @escaping @Sendable (Record) -> RecordOutcome?) {
    state.withLock { $0.answer = answer }
  }

  func release() {
    let held = state.withLock { state in
      defer { state.held = [] }
      return state.held
    }
    for (number, report) in held { report(.delivered(number)) }
  }

  func warn(_ warning: Warning) { state.withLock { $0.warnings.append(warning) } }

  var records: [Record] { state.withLock { $0.records } }
  var bodies: [String] { records.map { String(decoding: $0.body, as: UTF8.self) } }
  var sinks: Int { state.withLock { $0.sinks } }
  var warnings: [String] {
    state.withLock { $0.warnings.map { "\($0.code)\($0.isResolved ? " over" : "")" } }
  }
}
