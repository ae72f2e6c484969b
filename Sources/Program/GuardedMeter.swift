public import Model
import SystemRuntime

/// A meter that fails alone: what it cannot measure is said, and tried again after pauses, while all else goes on.
public struct GuardedMeter<Wrapped: Meter> where Wrapped.Failure == KernelError {
  private var meter: Wrapped
  private var recovery = Recovery<KernelError>()
  private let tolerance: Tolerance
  private var hasMeasured = false
  private var health = Health()
  /// Measurements that failed or were not tried, since start.
  private var missed: UInt64 = 0
  private var isUrgent = false
  /// What was said since the meter last worked.
  private var said: [String] = []
  /// Whether something that moved since then is never counted.
  private var hasGap = false

  /// Which measurements may fail.
  public enum Tolerance: Sendable {
    /// None: who wants so many reports waits for them.
    case none
    /// All but the first, by which the program starts.
    case afterTheFirst
    /// All: it was added to a program that works already.
    case always
  }

  /// Guards `meter`.
  public init(_ meter: Wrapped, _ tolerance: Tolerance) {
    self.meter = meter
    self.tolerance = tolerance
  }

  /// Why the meter fails; nil while it works.
  public var failure: KernelError? { recovery.failure }

  /// How the meter is.
  public var state: Recovery<KernelError>.State { recovery.state }

  /// Warnings that hold, taken back because the meter is not asked any more.
  public var takenBack: [Warning] {
    said.map {
      Warning(
        code: $0, text: "the connection table is not read any more: no monitor is configured",
        isResolved: true)
    }
  }

  /// Has the next call try, however short ago the last failure was: it is the last.
  public mutating func hurry() { isUrgent = true }

  /// Returns what moved until `now`, as far as the meter works.
  ///
  /// Errors: why a measurement fails that may not, and where nothing else is left to do (`isAlone`) `notPermitted`:
  /// privileges that were lost do not come back.
  public mutating func outcome(
    until now: Instant, isAlone: Bool
  ) throws(KernelError) -> SourceOutcome {
    guard recovery.isDue(at: now) || isUrgent else { return missing([]) }
    isUrgent = false
    do throws(KernelError) {
      var measurement = try meter.readings(until: now)
      // A meter that started again knows only from now on what moves.
      let isMissing = hasMeasured && measurement.interval == nil
      hasMeasured = true
      if let since = recovery.succeed() { measurement.warnings += works(after: now - since) }
      measurement.health.failedReads += missed
      health = measurement.health
      return (measurement, isMissing)
    } catch {
      guard isTolerated(error, isAlone: isAlone) else { throw error }
      recovery.fail(error, at: now)
      let warnings = fails(error)
      if !warnings.isEmpty { recovery.retryAtOnce() }
      return missing(warnings)
    }
  }

  private func isTolerated(_ error: KernelError, isAlone: Bool) -> Bool {
    switch error {
    case .notPermitted, .reported(_, _, isLasting: true), .sensorLost(_, isLasting: true):
      if isAlone { return false }
    default: break
    }
    return switch tolerance {
    case .none: false
    case .afterTheFirst: hasMeasured
    case .always: true
    }
  }

  private mutating func missing(_ warnings: [Warning]) -> SourceOutcome {
    missed += 1
    health.failedReads += 1
    return (Measurement(interval: nil, readings: [], health: health, warnings: warnings), true)
  }

  private mutating func fails(_ error: KernelError) -> [Warning] {
    guard !said.contains(error.code) else { return [] }
    said.append(error.code)
    if case .sensorLost(_, isLasting: true) = error {
      hasGap = true
      return [Warning(code: error.code, text: "\(error) Nothing is measured any more, all else goes on.")]
    }
    guard case .sensorLost = error else {
      return [
        Warning(
          code: error.code,
          text:
            "\(error) The connection table is not read for now, all else goes on. It is tried again, and what "
            + "moved meanwhile is counted then.")
      ]
    }
    hasGap = true
    return [
      Warning(
        code: error.code,
        text:
          "\(error) Nothing is measured for now, all else goes on. What moves until it works again is not counted."
      )
    ]
  }

  private mutating func works(after time: Duration) -> [Warning] {
    defer { (said, hasGap) = ([], false) }
    let what = hasGap ? "not counted." : "counted now."
    return said.map {
      Warning(
        code: $0,
        text:
          "the connection table is read again, after \(time.components.seconds) s: what moved meanwhile is \(what)",
        isResolved: true)
    }
  }
}

extension KernelError {
  /// What a warning about it is called.
  fileprivate var code: String {
    if case .sensorLost = self { "sensor_lost" } else { "unread_table" }
  }
}
