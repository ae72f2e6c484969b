import Model
import Program
import SystemRuntime
import SystemPackage
import Testing

/// A meter that fails: what is said, what is tried, and what ends the program.
@Suite struct GuardedMeterTests {
  /// Fails while it is told to, and then has all that moved since it last worked.
  private final class FaultyMeter: Meter {
    var fault: KernelError?
    private(set) var attempts = 0
    private var last: Instant?

    func readings(until now: Instant) throws(KernelError) -> Measurement {
      attempts += 1
      if let fault { throw fault }
      defer { last = now }
      var measurement = Measurement(interval: last.map { now - $0 }, readings: [])
      measurement.health.flows = 7
      return measurement
    }
  }

  private static let broken = KernelError.failed("reading", .ioError)
  private static let start = Instant.now

  @Test func `it is said when it fails and when it works, and tried after pauses`() throws {
    let meter = FaultyMeter()
    var guarded = GuardedMeter(meter, .afterTheFirst)
    func tick(_ second: Int) throws -> String {
      let (measurement, isMissing) = try guarded.outcome(until: Self.start + .seconds(second), isAlone: true)
      #expect(measurement.health.flows == 7)
      #expect((measurement.interval == nil) == (isMissing || second == 0))
      #expect((guarded.failure != nil) == isMissing)
      let said = measurement.warnings.map { "\($0.isResolved ? "-" : "+")\($0.code)" }
      return ([isMissing ? "missing" : "measured"] + said).joined(separator: " ")
    }
    #expect(try tick(0) == "measured")
    meter.fault = Self.broken
    #expect(try tick(1) == "missing +unread_table")
    // Far more than ten: at 1, 2, 3, 5, 9, 17 and 33 s.
    for second in 2...40 { #expect(try tick(second) == "missing") }
    #expect(meter.attempts == 8)
    meter.fault = nil
    #expect(try tick(64) == "missing")
    let (measurement, _) = try guarded.outcome(until: Self.start + .seconds(65), isAlone: true)
    #expect(measurement.interval == .seconds(65) && measurement.health.failedReads == 41)
    #expect(measurement.warnings.map(\.isResolved) == [true])
    #expect(measurement.warnings.first?.text.contains("after 64 s") == true)
    #expect(try tick(66) == "measured")
  }

  @Test func `what holds can be taken back, and what does not hold is not`() throws {
    let meter = FaultyMeter()
    var guarded = GuardedMeter(meter, .afterTheFirst)
    _ = try guarded.outcome(until: Self.start, isAlone: true)
    #expect(guarded.takenBack.isEmpty)
    meter.fault = Self.broken
    _ = try guarded.outcome(until: Self.start + .seconds(1), isAlone: true)
    #expect(guarded.takenBack.map(\.code) == ["unread_table"] && guarded.takenBack.allSatisfy(\.isResolved))
    meter.fault = nil
    _ = try guarded.outcome(until: Self.start + .seconds(2), isAlone: true)
    #expect(guarded.takenBack.isEmpty)
  }

  @Test func `the last is tried at once`() throws {
    let meter = FaultyMeter()
    var guarded = GuardedMeter(meter, .afterTheFirst)
    for second in 0..<5 {
      if second == 1 { meter.fault = Self.broken }
      _ = try guarded.outcome(until: Self.start + .seconds(second), isAlone: true)
    }
    meter.fault = nil
    #expect(try guarded.outcome(until: Self.start + .milliseconds(4001), isAlone: true).isMissing)
    guarded.hurry()
    #expect(try !guarded.outcome(until: Self.start + .milliseconds(4002), isAlone: true).isMissing)
  }

  @Test(
    arguments: [
      ("a start", .afterTheFirst, false, broken, true, true),
      ("a start beside pipes", .afterTheFirst, false, broken, false, true),
      ("later", .afterTheFirst, true, broken, true, false),
      ("so many reports are wanted", .none, true, broken, true, true),
      ("added to what works", .always, false, broken, false, false),
      ("a privilege is lost", .afterTheFirst, true, .notPermitted("x"), true, true),
      ("a privilege is lost beside pipes", .afterTheFirst, true, .notPermitted("x"), false, false),
      ("the table is never at rest", .afterTheFirst, true, .neverConsistent(attempts: 3), true, false),
    ] as [(String, GuardedMeter<FaultyMeter>.Tolerance, Bool, KernelError, Bool, Bool)])
  private func `what ends the program`(
    name: String, tolerance: GuardedMeter<FaultyMeter>.Tolerance, hasStarted: Bool, fault: KernelError,
    isAlone: Bool, isThrown: Bool
  ) throws {
    let meter = FaultyMeter()
    var guarded = GuardedMeter(meter, tolerance)
    if hasStarted { _ = try guarded.outcome(until: Self.start, isAlone: isAlone) }
    meter.fault = fault
    for second in 1...20 {
      let now = Self.start + .seconds(second)
      if isThrown {
        #expect(throws: fault) { try guarded.outcome(until: now, isAlone: isAlone) }
      } else {
        #expect(try guarded.outcome(until: now, isAlone: isAlone).isMissing)
      }
    }
  }
}
