import Aggregation
import Channel
import Metering
import Model
import Monitors
import Patterns
import Pipes
import Program
import SystemRuntime

/// What a tick does: each source is asked, its owners are grouped, and what they moved is compared with the limits.
///
/// It knows no sink: what it returns goes to all of them.
struct Hub {
  private let sensor: SensorSource
  private let pipes: PipeSource
  private let probes: ProbeSource
  private let layer: Layer
  private let diagnostics: Diagnostics
  private var aggregator: Aggregator
  private var thresholds: Thresholds
  private var notice: IncludeNotice
  private var traffic = TrafficWindow()
  private var noticeStart = Instant.now
  private var isLast = false

  init(
    _ configuration: AggregatorConfiguration, _ sensor: SensorSource, _ pipes: PipeSource,
    _ probes: ProbeSource,
    _ layer: Layer, _ diagnostics: Diagnostics
  ) {
    (self.sensor, self.pipes, self.probes) = (sensor, pipes, probes)
    (self.layer, self.diagnostics) = (layer, diagnostics)
    pipes.set(countedElsewhere: sensor.isActive)
    aggregator = Aggregator(rules: configuration.rules)
    thresholds = Thresholds(rules: configuration.thresholds)
    notice = Self.notice(configuration)
  }

  /// Continues at `now`, which is `time`, what fired at the end of an earlier run; to be called before the first tick.
  mutating func restore(
    _ alerts: [Alert], _ probeAlerts: [ProbeAlert], at now: Instant, _ time: Timestamp
  ) {
    thresholds.restore(alerts, at: now, time)
    probes.restore(probeAlerts, at: now, time)
  }

  /// A sensor may be waited for: what pipes moved is taken before.
  private var sources: [any Source] { [pipes, probes, sensor] }

  private static func notice(_ configuration: AggregatorConfiguration) -> IncludeNotice {
    IncludeNotice(configuration.filters, option: "include=")
  }

  /// Returns what is new, the report of the interval that ends `now`, and the alerts that it raises or resolves. There is no
  /// report while the only source fails.
  mutating func tick(until now: Instant, at time: Timestamp) throws(KernelError) -> [Event] {
    let isAlone = sources.count(where: \.isActive) < 2
    let watched = probes.sources()
    sensor.watch(watched.isEmpty ? [] : watched + pipes.addresses.subtracting(watched))
    var outcomes: [SourceOutcome] = []
    for source in sources {
      if let outcome = try source.outcome(until: now, isAlone: isAlone) { outcomes.append(outcome) }
    }
    let isMissing = outcomes.contains(where: \.isMissing)
    var report = aggregator.absorb(Self.paced(outcomes.map(\.measurement)), at: time)
    if !report.paths.isEmpty {
      pipes.interfaces = Dictionary(report.paths.map { ($0.address, $0.interface) }) { first, _ in first }
    }
    var warnings = outcomes.flatMap(\.measurement.warnings)
    // Pipes have rows as well, and are hidden bytes of this program.
    if !pipes.isActive, !isMissing,
      let said = notice.update(with: report, after: now - noticeStart, isLast: isLast)
    {
      warnings.append(said)
    }
    if !isMissing { traffic.add(report, at: now, keeping: probes.longestInterval) }
    // Where many targets fail together they ask for the same.
    var shares: [TrafficQuestion: [ProbeAlert.Share]] = [:]
    let found = probes.events(until: now, at: time) { addresses, length in
      let question = TrafficQuestion(addresses: addresses, length: length)
      if let known = shares[question] { return known }
      let top = traffic.top(through: addresses, over: length, at: now)
      shares[question] = top
      return top
    }
    let states = probes.states
    report.probes = states
    let alerts = thresholds.update(with: report, at: now, isPartial: isMissing).map { alert in
      var alert = alert
      alert.probes = states
      return alert
    }
    // Pipes count payload.
    report.layer = sensor.isActive ? layer : .payload
    report.health.dropped += probes.droppedMessages
    report.health.abandonedSearches += thresholds.abandonedSearches + probes.abandonedSearches
    let reports: [Event] = isMissing && isAlone ? [] : [.usage(report)]
    return warnings.map { .warning($0, at: time) } + found + reports + alerts.map(Event.alert)
  }

  /// After a failure a source's interval is longer than that of others, whose reports went on.
  private static func paced(_ measurements: [Measurement]) -> [Measurement] {
    guard measurements.count > 1, let recent = measurements.compactMap(\.interval).min() else {
      return measurements
    }
    return measurements.flatMap { $0.split(recent: recent) }
  }

  /// Has the next tick ask for all that is believed for some seconds: it is the last.
  mutating func refresh() {
    isLast = true
    for source in sources { source.refresh() }
  }

  /// Why the last report lacks bytes that a source measures; nil when it has all.
  var failure: KernelError? {
    for source in [sensor, pipes] as [any Source] {
      if case .failed(let why, _, _) = source.state { return why }
    }
    return nil
  }

  /// Takes the files as they are now, if all of them are valid; says why not otherwise. Counters stay. Returns the commands of
  /// alerts from now on, nil for those of before.
  mutating func reload(_ files: AggregatorConfiguration.Files) -> AggregatorConfiguration? {
    let configuration: AggregatorConfiguration
    do throws(AggregatorConfiguration.Failure) { configuration = try AggregatorConfiguration(files) } catch {
      return keepOld("\(error)")
    }
    let filters = configuration.filters.map(FilterSettings.init)
    let isFirst = !sensor.isActive && !filters.isEmpty
    if !filters.isEmpty, let failure = sensor.lastingFailure { return keepOld("\(failure)") }
    do throws(KernelError) { if isFirst { try sensor.start(filters, isAdded: true) } } catch {
      return keepOld("\(error)")
    }
    do throws(PipeError) { try pipes.use(configuration.pipes, isStart: false) } catch {
      if isFirst { sensor.stop() }
      return keepOld("\(error)")
    }
    probes.use(configuration.probes, configuration.probeRules)
    for warning in configuration.warnings { diagnostics.warning(warning) }
    if filters.isEmpty { sensor.retire(at: .now) } else if !isFirst { sensor.use(filters) }
    pipes.set(countedElsewhere: sensor.isActive)
    notice = Self.notice(configuration)
    noticeStart = .now
    aggregator.reload(rules: configuration.rules)
    thresholds.reload(rules: configuration.thresholds)
    diagnostics.note("configuration read again")
    return configuration
  }

  private func keepOld(_ why: String) -> AggregatorConfiguration? {
    diagnostics.error(
      "\(why)\(why.hasSuffix(".") ? "" : ".") The configuration that was read before stays in force.")
    return nil
  }
}

extension FilterSettings {
  /// A filter as a sensor gets it.
  init(_ filter: MonitorFilter) {
    self.init(
      include: filter.include.map(\.source), exclude: filter.exclude.map(\.source),
      ignoresLocal: filter.ignoresLocal, excludesTunnels: filter.excludesTunnels)
  }
}

/// Who moved most on a way, and in how long a time.
private struct TrafficQuestion: Hashable {
  var addresses: Set<IPAddress>
  var length: Duration
}
