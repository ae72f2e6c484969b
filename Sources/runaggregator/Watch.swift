import Aggregation
import Kernel
import Model
import Monitors
import Notifications
import Pipes
import Program

/// A tick of the aggregator: measure, group, compare with the limits, tell.
struct Watch {
  /// Nil while no monitor is configured: pipes alone need no connection table, and no privilege to read it.
  private var monitor: Monitor?
  /// The same: it may fail alone.
  private var guarded: GuardedMeter<Monitor>?
  private let makeMonitor: ([MonitorFilter]) throws(KernelError) -> Monitor
  private let layer: Layer
  private let pipes: PipeSet
  private let diagnostics: Diagnostics
  private var aggregator: Aggregator
  private var thresholds: Thresholds
  private var notifier: Notifier
  private var notice: IncludeNotice
  private var noticeStart = ContinuousClock.now
  private var isLast = false

  init(
    _ configuration: Configuration, _ monitor: Monitor?, _ layer: Layer, _ pipes: PipeSet,
    _ notifier: Notifier, _ diagnostics: Diagnostics,
    makeMonitor: @escaping ([MonitorFilter]) throws(KernelError) -> Monitor
  ) {
    self.monitor = monitor
    guarded = monitor.map { GuardedMeter($0, .afterTheFirst) }
    self.layer = layer
    self.makeMonitor = makeMonitor
    self.pipes = pipes
    self.notifier = notifier
    self.diagnostics = diagnostics
    aggregator = Aggregator(rules: configuration.rules)
    thresholds = Thresholds(rules: configuration.thresholds)
    notice = Self.notice(configuration)
  }

  private static func notice(_ configuration: Configuration) -> IncludeNotice {
    IncludeNotice(configuration.filters, option: "include=")
  }

  /// Returns what is new, the report of the interval that ends `now`, and the alerts that it raises or resolves;
  /// writes their lines and starts their commands. There is no report while the monitor fails and nothing else is measured.
  mutating func tick(until now: ContinuousClock.Instant, at time: Timestamp) throws(KernelError) -> [Event] {
    let isAlone = pipes.isEmpty
    let outcome = try guarded?.outcome(until: now, isAlone: isAlone)
    // The connection table holds a pipe's bytes as this program's own, so that they are in its balance already.
    let piped = pipes.readings(until: now, areInBalance: monitor != nil)
    var measurements = outcome.map { [$0.measurement] } ?? []
    // After a failure the monitor's interval is longer than that of the pipes, whose reports went on.
    if let interval = piped.interval { measurements = measurements.flatMap { $0.split(recent: interval) } }
    measurements.append(piped)
    let isMissing = outcome?.isMissing ?? false
    var warnings = measurements.flatMap(\.warnings)
    var report = aggregator.absorb(measurements, at: time)
    // Pipes have rows as well, and are hidden bytes of this program.
    if isAlone, !isMissing, let said = notice.update(with: report, after: now - noticeStart, isLast: isLast) {
      warnings.append(said)
    }
    for warning in warnings { diagnostics.warning(warning) }
    let alerts = thresholds.update(with: report, at: now, isPartial: isMissing)
    for alert in alerts {
      diagnostics.line(AlertLine(alert).description)
      notifier.submit(alert)
    }
    // Pipes count payload.
    report.layer = monitor == nil ? .payload : layer
    report.health.droppedNotifications = notifier.dropped
    report.health.abandonedSearches += thresholds.abandonedSearches
    let reports: [Event] = isMissing && isAlone ? [] : [.usage(report)]
    return warnings.map { .warning($0, at: time) } + reports + alerts.map(Event.alert)
  }

  /// Has the next tick ask for all that is believed for some seconds: it is the last.
  mutating func refresh() {
    isLast = true
    monitor?.refresh()
    guarded?.hurry()
  }

  /// Why the last report lacks what the monitor measures; nil when it has all.
  var failure: KernelError? { guarded?.failure }

  private func keepsOld(_ why: String) {
    diagnostics.error(
      "\(why)\(why.hasSuffix(".") ? "" : ".") The configuration that was read before stays in force.")
  }

  /// Takes the files as they are now, if all of them are valid; says why not otherwise. Counters stay.
  mutating func reload(_ files: Configuration.Files) {
    let configuration: Configuration
    do throws(Configuration.Failure) { configuration = try Configuration(files) } catch {
      keepsOld("\(error)")
      return
    }
    let added: Monitor?
    do throws(KernelError) {
      added = monitor == nil && !configuration.filters.isEmpty ? try makeMonitor(configuration.filters) : nil
    } catch {
      keepsOld("\(error)")
      return
    }
    do throws(PipeError) { try pipes.use(configuration.pipes, isStart: false) } catch {
      keepsOld("\(error)")
      return
    }
    for warning in configuration.warnings { diagnostics.warning(warning) }
    if let added {
      monitor = added
      guarded = GuardedMeter(added, .always)
    }
    monitor?.use(configuration.filters)
    notice = Self.notice(configuration)
    noticeStart = .now
    aggregator.reload(rules: configuration.rules)
    thresholds.reload(rules: configuration.thresholds)
    notifier.reload(rules: configuration.commands)
    diagnostics.note("configuration read again")
  }
}
