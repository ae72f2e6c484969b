import Aggregation
import Model
import Testing

/// What is not all: the reference and some targets fail, others answer, or are asked later.
@Suite struct ConnectivityPartTests {
  /// One story: targets with the seconds from round to round, and what comes of rounds. `gw- 10 12` is a round of gw from 10 to
  /// 12 that lost all, `a+` one that lost nothing, `a~` one that lost some, `tick 30` that time has passed.
  private struct Story: Sendable {
    var intervals: [String: Double]
    var steps: [(String, [String])]

    init(_ intervals: [String: Double], _ steps: [(String, [String])]) {
      (self.intervals, self.steps) = (intervals, steps)
    }
  }

  private func play(_ story: Story) {
    var door = Door(["gw"], story.intervals)
    for (step, expected) in story.steps {
      let words = step.split(separator: " ")
      let numbers = words.compactMap { Double($0) }
      let found: [String]
      if words[0] == "tick" {
        found = door.expire(at: numbers[0])
      } else {
        let received = ["+": 10, "~": 4, "-": 0][words[0].suffix(1)] ?? 0
        let result = ping(String(words[0].dropLast()), numbers[0], received: received)
        found = door.take(result, at: numbers[1])
      }
      #expect(found == expected, "\(step)")
    }
  }

  private static let even = ["gw": 1.0, "a": 1, "b": 1, "c": 1]
  private static let begin: [(String, [String])] = [
    ("gw+ 0 0.1", ["gw 10"]), ("a+ 0 0.1", ["a 10"]), ("b+ 0 0.1", ["b 10"]), ("c+ 0 0.1", ["c 10"]),
  ]

  @Test func `one that fails with the reference is no outage: the next answer of another tells both`() {
    play(
      Story(
        Self.even,
        Self.begin + [
          ("gw- 1 2", []), ("a- 1 2", []), ("b+ 2 2.1", ["a 0", "gw 0", "b 10"]), ("c+ 2 2.1", ["c 10"]),
          ("tick 40", []),
        ]))
  }

  @Test func `it is an outage when the last one fails, and not before`() {
    play(
      Story(
        Self.even,
        Self.begin + [
          ("gw- 1 2", []), ("a- 1 2", []), ("b- 1 2", []), ("tick 2.1", []), ("c- 1.5 2.5", ["down after 2"]),
          ("a- 2 3", []), ("tick 40", []), ("c+ 60 60.1", ["up after 58", "c 10"]),
        ]))
  }

  @Test func `a gateway that fails first, and all others some seconds later`() {
    play(
      Story(
        Self.even,
        Self.begin + [
          ("gw- 1 2", []), ("a+ 2 2.1", ["gw 0", "a 10"]), ("b+ 2 2.1", ["b 10"]), ("c+ 2 2.1", ["c 10"]),
          ("a- 3 4", []), ("gw- 3 4", ["gw 0"]), ("b- 3 4", []), ("c- 3 4", ["down after 2"]),
          ("gw- 4 5", []), ("b- 4 5", []), ("gw+ 20 20.1", ["up after 18", "gw 10"]),
          ("a+ 21 21.1", ["a 10"]),
        ]))
  }

  @Test func `half fail with the reference, and the rest too long after it: each is reported by itself`() {
    play(
      Story(
        Self.even,
        Self.begin + [
          ("gw- 1 2", []), ("a- 1 2", []), ("b+ 2 2.1", ["a 0", "gw 0", "b 10"]), ("c+ 31 31.1", ["c 10"]),
          ("b- 32 33", ["b 0"]), ("c- 32 33", ["c 0"]), ("tick 34", []),
        ]))
  }

  @Test func `who is asked seldom is not waited for, and hinders nothing`() {
    let intervals = ["gw": 1.0, "a": 1, "slow": 60]
    play(
      Story(
        intervals,
        [
          ("slow+ 0 0.1", ["slow 10"]), ("gw+ 10 10.1", ["gw 10"]), ("a+ 10 10.1", ["a 10"]),
          ("gw- 11 12", []),
          ("a- 11 12", ["down after 12"]), ("slow- 60 61", []), ("a- 60 61", []),
          ("gw+ 70 70.1", ["up after 58", "gw 10"]),
        ]))
  }

  @Test func `who is asked soon is waited for, and then no longer`() {
    let intervals = ["gw": 1.0, "a": 1, "slow": 20]
    let steps: [(String, [String])] = [
      ("slow+ 0 0.1", ["slow 10"]), ("gw+ 10 10.1", ["gw 10"]), ("a+ 10 10.1", ["a 10"]), ("gw- 11 12", []),
      ("a- 11 12", []), ("tick 20", []),
    ]
    play(Story(intervals, steps + [("slow- 20 21", ["down after 12"])]))
    play(Story(intervals, steps + [("slow+ 20 20.1", ["a 0", "gw 0", "slow 10"])]))
    play(Story(intervals, steps + [("slow~ 20 20.1", []), ("tick 20.2", ["a 0", "gw 0", "slow 4"])]))
    // It says nothing: its address is not known any more.
    play(Story(intervals, steps + [("tick 25", []), ("tick 25.1", ["down after 12"])]))
  }

  @Test func `a seldom answer ends an outage once, and then it is the reference and who failed`() {
    let intervals = ["gw": 1.0, "a": 1, "slow": 60]
    play(
      Story(
        intervals,
        [
          ("slow+ 0 0.1", ["slow 10"]), ("gw- 11 12", []), ("a- 11 12", ["down after 12"]),
          ("slow+ 60 60.1", ["up after 48", "slow 10"]), ("a- 61 62", []), ("gw- 61 62", []),
          ("a- 70 71", ["a 0"]), ("gw- 70 71", ["gw 0"]), ("a- 100 101", ["a 0"]), ("gw- 100 101", ["gw 0"]),
          ("slow+ 120 120.1", ["slow 10"]),
        ]))
  }

  @Test func `who was down before is not waited for`() {
    play(
      Story(
        Self.even,
        Self.begin + [
          ("c- 1 2", []), ("gw+ 2.1 2.2", ["c 0", "gw 10"]), ("a+ 2 2.1", ["a 10"]), ("b+ 2 2.1", ["b 10"]),
          ("gw- 3 4", []), ("a- 3 4", []), ("b- 3 4", ["down after 4"]),
        ]))
  }

  @Test func `who lost some while the others fail decides by the next round`() {
    play(
      Story(
        Self.even,
        Self.begin + [
          ("gw- 1 2", []), ("a~ 0.9 2", []), ("b- 1 2", []), ("c- 1 2", []), ("tick 3", []),
          ("a- 2 3", ["down after 2"]),
        ]))
  }

  @Test func `a new target is waited for`() {
    play(
      Story(
        Self.even,
        [
          ("gw- 1 2", []), ("a- 1 2", []), ("b- 1 2", []), ("tick 5", []), ("tick 6.1", ["down after 2"]),
        ]))
  }
}
