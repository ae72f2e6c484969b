public import Channel
public import Model
public import Program
public import SystemRuntime

/// The connection table as a source: a sensor that can be started now, or when a reload configures the first monitor.
///
/// What starts the sensor has the privileges that this program gives up.
public final class SensorSource: Source {
  /// What can be started; nil where nothing is measured, or `failure` says why it cannot.
  private let meter: SensorMeter?
  private let failure: KernelError?
  /// The sensor, once it was started.
  private var guarded: GuardedMeter<SensorMeter>?

  /// Prepares a sensor; why there can be none is reported by `start`.
  public init(_ settings: SensorSettings, _ diagnostics: Diagnostics) {
    do throws(KernelError) {
      meter = try SensorMeter(settings, diagnostics)
      failure = nil
    } catch {
      meter = nil
      failure = error
    }
  }

  private init() { (meter, failure) = (nil, nil) }

  /// For a program that measures nothing.
  public static var none: SensorSource { SensorSource() }

  /// True once the sensor was started.
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

  /// Returns what the sensor measured until `now`; nil while none was started. Errors: as every source.
  public func outcome(
    until now: ContinuousClock.Instant, isAlone: Bool
  ) throws(KernelError) -> SourceOutcome? {
    try guarded?.outcome(until: now, isAlone: isAlone)
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
