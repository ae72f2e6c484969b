public import Model
public import SystemRuntime

/// What reports into the hub. It fails alone: what it cannot measure is said, and all else goes on.
public protocol Source: AnyObject {
  /// True while something is configured that it measures, or what was is not at its end.
  var isActive: Bool { get }
  /// How it is: it works, or why not, since when, and when it is tried again.
  var state: Recovery<KernelError>.State { get }

  /// Returns what moved until `now`; nil while it has never measured anything.
  ///
  /// Errors: why a measurement fails that may not. With `isAlone` no other source is active.
  func outcome(until now: Instant, isAlone: Bool) throws(KernelError) -> SourceOutcome?

  /// Has the next measurement ask for all that is believed for some seconds: it is the last.
  func refresh()
}

/// What one tick brought: what moved, or while a source fails (`isMissing`) an empty measurement without an interval, with
/// the health of the last one. Nothing is known then of what it measures.
public typealias SourceOutcome = (measurement: Measurement, isMissing: Bool)
