import Channel
import Metering
import Model
import SystemRuntime
import Testing

@testable import Metering
@testable import Program

/// What a sensor says, and what the hub makes of it.
@Suite struct SensorStateTests {
  private static let start = Instant.now
  private static let process = ProcessIdentity(pid: 7, startTime: 9)

  private func state() -> SensorState {
    SensorState(settings: SensorSettings(flags: ["--source", "auto"], filters: []), version: "2.0.0")
  }

  /// One that measures.
  private func up() throws -> SensorState {
    var state = state()
    state.start(at: Self.start)
    _ = try state.receive(.hello(version: "2.0.0"))
    _ = try state.receive(.ready)
    return state
  }

  private func measurement(_ usage: UInt64 = 5, exited: [ProcessIdentity] = []) -> Measurement {
    var measurement = Measurement(
      interval: .seconds(1),
      readings: [Reading(owner: .process(Self.process), usage: Usage(received: usage))], exited: exited)
    measurement.health.flows = 3
    measurement.health.vanished = 2
    return measurement
  }

  /// What may come when, by name.
  static let messages: [(name: String, message: Message)] = [
    ("hello", .hello(version: "2.0.0")), ("ready", .ready),
    ("refused", .refused(SensorFault(text: "no", status: 77, isLasting: true))),
    ("answer", .measurement(number: 1, Measurement(interval: nil, readings: []))),
    ("later answer", .measurement(number: 2, Measurement(interval: nil, readings: []))),
    ("failure", .failure(number: 1, SensorFault(text: "later", status: 75, isLasting: false))),
    ("remark", .remark("x")), ("a question", .measure(number: 1, isLast: false)), ("filters", .filters([])),
  ]

  struct Row: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var steps: Int
    var allowed: Set<String>
  }

  @Test(arguments: [
    Row(testDescription: "none runs", steps: 0, allowed: ["remark"]),
    Row(testDescription: "started", steps: 1, allowed: ["hello", "remark"]),
    Row(testDescription: "told what to do", steps: 2, allowed: ["ready", "refused", "remark"]),
    Row(testDescription: "up", steps: 3, allowed: ["remark"]),
    Row(testDescription: "asked", steps: 4, allowed: ["answer", "failure", "remark"]),
    Row(testDescription: "has answered", steps: 5, allowed: ["remark"]),
    Row(testDescription: "ended", steps: 6, allowed: ["remark"]),
  ]) func `only what is expected is taken`(row: Row) throws {
    for (name, message) in Self.messages {
      var state = state()
      if row.steps > 0 { state.start(at: Self.start) }
      if row.steps > 1 { _ = try state.receive(.hello(version: "2.0.0")) }
      if row.steps > 2 { _ = try state.receive(.ready) }
      if row.steps > 3 { #expect(state.ask(isLast: false, at: Self.start) != nil) }
      if row.steps > 4 { _ = try state.receive(.measurement(number: 1, measurement())) }
      if row.steps > 5 { state.end() }
      if row.allowed.contains(name) {
        #expect(throws: Never.self, "\(name)") { try state.receive(message) }
      } else {
        #expect(throws: KernelError.self, "\(name)") { try state.receive(message) }
      }
    }
  }

  @Test func `another version is refused, and both are named`() {
    var state = state()
    state.start(at: Self.start)
    #expect(
      throws: KernelError.sensorLost(
        "the sensor is of version 2.0.1, this program of 2.0.0: install both from one release.")
    ) { try state.receive(.hello(version: "2.0.1")) }
  }

  @Test func `only one question is open at a time, and none before it measures`() throws {
    var state = state()
    #expect(state.ask(isLast: false, at: Self.start) == nil)
    state = try up()
    #expect(state.ask(isLast: false, at: Self.start) == .measure(number: 1, isLast: false))
    #expect(state.ask(isLast: true, at: Self.start) == nil)
    _ = try state.receive(.measurement(number: 1, measurement()))
    #expect(state.ask(isLast: true, at: Self.start) == .measure(number: 2, isLast: true))
  }

  @Test func `a question has the addresses of paths, no more than a sensor takes`() throws {
    var state = try up()
    let paths = (1...100).map { IPAddress(v4: $0) }
    #expect(
      state.ask(isLast: false, paths: paths, at: Self.start)
        == .measure(number: 1, isLast: false, paths: Array(paths.prefix(PathUsage.most))))
  }

  @Test func `the next one counts from its start, and knows the processes`()
    throws
  {
    var state = state()
    state.start(at: Self.start)
    var first = state.settings
    #expect(first.countsLookback)
    #expect(try state.receive(.hello(version: "2.0.0")) == .send([.settings(first), .processes([])]))
    _ = try state.receive(.ready)
    _ = state.ask(isLast: false, at: Self.start)
    _ = try state.receive(.measurement(number: 1, measurement()))
    state.end()
    state.start(at: Self.start)
    first.countsLookback = false
    #expect(
      try state.receive(.hello(version: "2.0.0")) == .send([.settings(first), .processes([Self.process])]))
    _ = try state.receive(.ready)
    _ = state.ask(isLast: false, at: Self.start)
    _ = try state.receive(.measurement(number: 2, measurement(exited: [Self.process])))
    state.end()
    state.start(at: Self.start)
    #expect(try state.receive(.hello(version: "2.0.0")) == .send([.settings(first), .processes([])]))
  }

  @Test func `one that ended before it measured leaves the lookback to the next`() throws {
    var state = try up()
    state.end()
    state.start(at: Self.start)
    _ = try state.receive(.hello(version: "2.0.0"))
    #expect(state.settings.countsLookback)
  }

  @Test func `counters go on over an end, what is true now does not`() throws {
    var state = try up()
    for round in UInt64(1)...3 {
      if round > 1 {
        state.start(at: Self.start)
        _ = try state.receive(.hello(version: "2.0.0"))
        _ = try state.receive(.ready)
      }
      _ = state.ask(isLast: false, at: Self.start)
      guard case .measured(let measurement) = try state.receive(.measurement(number: round, measurement()))
      else {
        Issue.record("not measured")
        return
      }
      #expect(measurement.health.vanished == 2 * round && measurement.health.flows == 3)
      state.end()
    }
  }

  @Test func `who owes something for a minute is stuck`() throws {
    var state = state()
    #expect(!state.isStuck(at: Self.start + .seconds(1000)))
    state.start(at: Self.start)
    #expect(!state.isStuck(at: Self.start + .seconds(60)) && state.isStuck(at: Self.start + .seconds(61)))
    _ = try state.receive(.hello(version: "2.0.0"))
    _ = try state.receive(.ready)
    #expect(!state.isStuck(at: Self.start + .seconds(1000)))
    _ = state.ask(isLast: false, at: Self.start + .seconds(1000))
    #expect(!state.isStuck(at: Self.start + .seconds(1060)) && state.isStuck(at: Self.start + .seconds(1061)))
    _ = try state.receive(.measurement(number: 1, measurement()))
    #expect(!state.isStuck(at: Self.start + .seconds(2000)))
  }

  @Test func `what a sensor said is not said again by the next, and what ended with it is taken back`() throws
  {
    func said(_ state: inout SensorState, _ warnings: [Warning]) throws -> [String] {
      guard case .measure(let number, _, _) = state.ask(isLast: false, at: Self.start) else {
        return ["not asked"]
      }
      var measurement = measurement()
      measurement.warnings = warnings
      guard case .measured(let taken) = try state.receive(.measurement(number: number, measurement)) else {
        return ["not measured"]
      }
      return taken.warnings.map { ($0.isResolved ? "-" : "+") + $0.code }
    }
    func next(_ state: inout SensorState) throws {
      state.end()
      state.start(at: Self.start)
      _ = try state.receive(.hello(version: "2.0.0"))
      _ = try state.receive(.ready)
    }
    let lookedUp = Warning(code: "looked_up", text: "a")
    let events = Warning(code: "no_events", text: "b")
    var state = try up()
    #expect(try said(&state, [lookedUp]) == ["+looked_up"])
    #expect(try said(&state, [events]) == ["+no_events"])
    try next(&state)
    #expect(try said(&state, [lookedUp]) == ["-no_events"])
    #expect(try said(&state, [events]) == ["+no_events"])
    try next(&state)
    #expect(try said(&state, [lookedUp, events]) == [])
    #expect(try said(&state, [Warning(code: "no_events", text: "c", isResolved: true)]) == ["-no_events"])
    // Of one sensor it is for a reason that it is said twice.
    #expect(try said(&state, [lookedUp]) == ["+looked_up"])
    // When nothing is to be measured any more all that holds is taken back, once.
    state.end()
    #expect(state.takeBack().map { ($0.isResolved ? "-" : "+") + $0.code } == ["-looked_up"])
    #expect(state.takeBack().isEmpty)
  }
}
