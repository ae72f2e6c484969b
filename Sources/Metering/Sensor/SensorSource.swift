public import Channel
public import Model
public import Program
public import SystemRuntime

/// The connection table as a source: a sensor that can be started now, or when a reload configures the first monitor, and
/// stopped when one takes the last away.
///
/// What starts the sensor has the privileges that this program gives up.
public final class SensorSource: Source {
  /// What can be started; nil where nothing is measured, or `failure` says why it cannot.
  private let meter: SensorMeter?
  private let failure: KernelError?
  /// The sensor; nil before it was started, and after it was stopped.
  private var guarded: GuardedMeter<SensorMeter>?
  /// When it was last asked, and what it had counted; nil before that.
  private var last: (time: Instant, health: Health)?
  /// What a sensor measured at its end, until that is asked for.
  private var final: Measurement?

  /// Prepares a sensor; why there can be none is reported by `start`. `undoesTracking` says that it turns off what it turned
  /// on.
  public init(_ settings: SensorSettings, undoesTracking: Bool, _ diagnostics: Diagnostics) {
    do throws(KernelError) {
      meter = try SensorMeter(settings, undoesTracking: undoesTracking, diagnostics)
      failure = nil
    } catch {
      meter = nil
      failure = error
    }
  }

  private init() { (meter, failure) = (nil, nil) }

  /// For a program that measures nothing.
  public static var none: SensorSource { SensorSource() }

  /// True while there is a sensor, whether it works or not.
  public var isActive: Bool { guarded != nil }

  /// How the sensor is.
  public var state: Recovery<KernelError>.State { guarded?.state ?? .up }

  /// Starts the sensor, and waits until it measures; all but its first measurement may fail. With `isAdded` that may as well,
  /// and it is waited for a moment only. Errors: why it cannot.
  public func start(_ filters: [FilterSettings], isAdded: Bool = false) throws(KernelError) {
    if let failure { throw failure }
    guard let meter else { return }
    try meter.start(filters, isAdded: isAdded)
    guarded = GuardedMeter(meter, isAdded ? .always : .afterTheFirst)
  }

  /// Shows from now on what these filters show.
  public func use(_ filters: [FilterSettings]) { meter?.use(filters) }

  /// Has the next measurement say who moved how much through the interfaces that have these addresses of this host,
  /// `PathUsage.most` at most.
  public func watch(_ paths: [IPAddress]) { meter?.paths = paths }

  /// Returns what the sensor measured until `now`; nil while none was started. After it was stopped nothing moves: rates fall
  /// to zero, and alerts end. Errors: as every source.
  public func outcome(
    until now: Instant, isAlone: Bool
  ) throws(KernelError) -> SourceOutcome? {
    if var outcome = try guarded?.outcome(until: now, isAlone: isAlone) {
      last = (now, outcome.measurement.health)
      // Another was started before it was asked for.
      if let final { outcome.measurement = final.followed(by: outcome.measurement) }
      final = nil
      return outcome
    }
    guard let last else { return nil }
    let interval = now - last.time
    self.last = (now, last.health)
    guard var measurement = final else {
      return (Measurement(interval: interval, readings: [], health: last.health), false)
    }
    final = nil
    // What had moved before the start has no rate.
    if measurement.interval != nil { measurement.interval = interval }
    return (measurement, false)
  }

  /// Has the next measurement ask for all, and at once.
  public func refresh() {
    meter?.refresh()
    guarded?.hurry()
  }

  /// Lets the sensor undo what it changed, and waits for that. It can be started again.
  public func stop() {
    if isActive { meter?.finish() }
    guarded = nil
  }

  /// Stops the sensor, because it has nothing to measure any more. What it had counted until `now` comes with the next
  /// measurement, and takes back the warnings that held.
  public func retire(at now: Instant) {
    guard isActive, let meter else { return }
    let asked = last?.time ?? now
    refresh()
    // Why it fails at its end matters to nobody any more.
    let outcome = try? outcome(until: now, isAlone: false)
    let takenBack = guarded?.takenBack ?? []
    stop()
    for gauge in Health.gauges { last?.health[keyPath: gauge] = 0 }
    last?.time = asked
    final = outcome?.measurement ?? Measurement(interval: nil, readings: [])
    final?.warnings += takenBack + meter.takeBack()
  }

  /// Ends what starts the sensor; nothing can be started after that.
  public func close() {
    stop()
    meter?.close()
  }

  /// Why no sensor can be started any more; nil while one can.
  public var lastingFailure: KernelError? {
    guard case .failed(.sensorLost(let why, isLasting: true), _, _) = state else { return failure }
    return .sensorLost(why, isLasting: true)
  }
}
