public import Kernel
public import Model

/// A meter that fails alone: what it cannot measure is said, and tried again after pauses, while all else goes on.
public struct GuardedMeter<Wrapped: Meter> where Wrapped.Failure == KernelError {
  /// What one tick brought: what moved, or while the meter fails (`isMissing`) an empty measurement without an
  /// interval, with the health of the last one. Nothing is known then of what it measures.
  public typealias Outcome = (measurement: Measurement, isMissing: Bool)

  private var meter: Wrapped
  private var recovery = Recovery<KernelError>()
  private let tolerance: Tolerance
  private var hasMeasured = false
  private var health = Health()
  /// Measurements that failed or were not tried, since start.
  private var missed: UInt64 = 0
  private var isUrgent = false

  private static var code: String { "unread_table" }

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

  /// Has the next call try, however short ago the last failure was: it is the last.
  public mutating func hurry() { isUrgent = true }

  /// Returns what moved until `now`, as far as the meter works.
  ///
  /// Errors: why a measurement fails that may not, and where nothing else is left to do (`isAlone`) `notPermitted`:
  /// privileges that were lost do not come back.
  public mutating func outcome(
    until now: ContinuousClock.Instant, isAlone: Bool
  ) throws(KernelError) -> Outcome {
    guard recovery.isDue(at: now) || isUrgent else { return missing([]) }
    isUrgent = false
    do throws(KernelError) {
      var measurement = try meter.readings(until: now)
      hasMeasured = true
      if let since = recovery.succeed() { measurement.warnings.append(Self.works(after: now - since)) }
      measurement.health.failedReads += missed
      health = measurement.health
      return (measurement, false)
    } catch {
      guard isTolerated(error, isAlone: isAlone) else { throw error }
      let begins = recovery.fail(error, at: now)
      return missing(begins ? [Self.fails(error)] : [])
    }
  }

  private func isTolerated(_ error: KernelError, isAlone: Bool) -> Bool {
    if isAlone, case .notPermitted = error { return false }
    return switch tolerance {
    case .none: false
    case .afterTheFirst: hasMeasured
    case .always: true
    }
  }

  private mutating func missing(_ warnings: [Warning]) -> Outcome {
    missed += 1
    health.failedReads += 1
    return (Measurement(interval: nil, readings: [], health: health, warnings: warnings), true)
  }

  private static func fails(_ error: KernelError) -> Warning {
    Warning(
      code: code,
      text:
        "\(error) The connection table is not read for now, all else goes on. It is tried again, and what "
        + "moved meanwhile is counted then.")
  }

  private static func works(after time: Duration) -> Warning {
    Warning(
      code: code,
      text: "the connection table is read again, after \(time.components.seconds) s: what moved meanwhile is "
        + "counted now.", isResolved: true)
  }
}
