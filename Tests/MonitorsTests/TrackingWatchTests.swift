import Lab
import Model
import Testing

@testable import Monitors

/// Seconds of traffic in, what is said out.
@Suite struct TrackingWatchTests {
  /// So many seconds in which the interfaces move bytes, and the table sees some of them.
  struct Phase: Sendable {
    var seconds: Int
    var moved: UInt64
    var tracked: UInt64
    var isComparable = true

    init(_ seconds: Int, _ moved: UInt64, _ tracked: UInt64, isComparable: Bool = true) {
      (self.seconds, self.moved, self.tracked) = (seconds, moved, tracked)
      self.isComparable = isComparable
    }
  }

  struct Row: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var phases: [Phase]
    /// `second change`.
    var said: [String]

    init(_ name: String, _ phases: [Phase], _ said: [String] = []) {
      (testDescription, self.phases, self.said) = (name, phases, said)
    }
  }

  private static let busy = Phase(20, 100_000, 100_000)

  static let rows = [
    Row("all is tracked", [busy, Phase(100, 5_000, 5_000)]),
    Row("an idle host", [busy, Phase(3600, 0, 0)]),
    Row("ARP and multicast on an idle host", [busy, Phase(3600, 2_900, 0)]),
    Row("noise and a flow now and then", [Phase(60, 20_000, 20_000), Phase(600, 5_000, 10)]),
    Row("at the start nobody knows how it was", [Phase(600, 1_000_000, 0)]),
    Row("no traffic before", [Phase(600, 0, 0), Phase(60, 100_000, 0)]),
    Row(
      "most is untracked by design, and rarely something is not",
      [
        Phase(60, 1_000_000, 1_000), Phase(300, 1_000_000, 0), Phase(2, 1_000_000, 1_000),
        Phase(300, 1_900_000, 0),
      ]),
    Row(
      "a transfer ends, what is untracked by design goes on",
      [
        Phase(60, 1_100_000, 1_000_000), Phase(600, 150_000, 0),
      ]),
    Row("accounting is off", [busy, Phase(100, 100_000, 0, isComparable: false)]),
    Row("for less than six seconds", [busy, Phase(5, 100_000, 0), busy, Phase(5, 100_000, 0), busy]),
    Row(
      "tracking ends and returns, twice",
      [busy, Phase(30, 100_000, 0), busy, Phase(30, 100_000, 0), busy, Phase(5, 0, 0)],
      ["26 ended", "51 returned", "76 ended", "101 returned"]),
    Row(
      "it ends while nothing moves, and is seen with the next traffic",
      [busy, Phase(1000, 0, 0), Phase(10, 100_000, 0)], ["1021 ended"]),
    Row(
      "it ends beside what is untracked by design",
      [Phase(60, 1_100_000, 1_000_000), Phase(10, 1_100_000, 0)], ["66 ended"]),
    Row(
      "accounting goes off and on meanwhile",
      [busy, Phase(10, 100_000, 0), Phase(50, 100_000, 0, isComparable: false), Phase(1, 100_000, 100)],
      ["26 ended", "81 returned"]),
  ]

  @Test(arguments: rows, [1, 10])
  func `what is said of tracking`(row: Row, readingsPerSecond: Int) {
    var watch = TrackingWatch()
    var said: [String] = []
    var reading = 0
    for phase in row.phases {
      for _ in 0..<phase.seconds * readingsPerSecond {
        reading += 1
        let parts = UInt64(readingsPerSecond)
        let change = watch.update(
          TrackingWatch.Reading(
            interval: .seconds(1) / readingsPerSecond, moved: phase.moved / parts,
            tracked: phase.tracked == 0 ? 0 : max(1, phase.tracked / parts), isComparable: phase.isComparable)
        )
        let second = (reading + readingsPerSecond - 1) / readingsPerSecond
        switch change {
        case .nothing: break
        case .returned: said.append("\(second) returned")
        case .ended(let bytes, let time):
          said.append("\(second) ended")
          #expect(bytes > 0 && time >= TrackingWatch.patience)
        }
      }
    }
    #expect(said == row.said)
  }

  @Test func `reports an hour apart`() {
    var watch = TrackingWatch()
    func read(_ moved: UInt64, _ tracked: UInt64) -> TrackingWatch.Change {
      watch.update(TrackingWatch.Reading(interval: .seconds(3600), moved: moved, tracked: tracked))
    }
    #expect(read(1 << 30, 1 << 30) == .nothing && read(9 << 20, 0) == .nothing)
    #expect(read(1 << 30, 0) == .ended(bytes: 1 << 30, over: .seconds(3600)))
    #expect(read(1 << 30, 0) == .nothing && read(1 << 30, 5) == .returned)
  }
}
