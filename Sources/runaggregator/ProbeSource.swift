import Aggregation
import Model
import Probes
import Program
import SystemRuntime

/// The probes of the monitor configuration: results, alerts and outages. Their thread starts with the first of them.
final class ProbeSource: Source {
  private var service: ProbeService?
  private var plans: [ProbePlan] = []
  /// Whether the thread could be started.
  private var recovery = Recovery<KernelError>()
  /// What is to be said of that.
  private var warnings: [Warning] = []
  /// Of what is probed; a result of anything else comes too late.
  private var names: Set<String> = []
  /// Those of them that may answer or not: a trace alone says neither.
  private var judged: Set<String> = []
  /// Those of them that stand for this host's network.
  private var references: Set<String> = []
  private var paths = ProbePaths(towards: SourceAddress.towards)
  /// Whether somebody asks who moved what on the way to a target.
  private var isWatched = false
  /// What an alert tells of who moved what is no longer ago than this: intervals of rules, and rounds.
  private(set) var longestInterval = Duration.zero
  /// What was found and not judged yet.
  private var pending: [ProbeService.Report] = []
  private var limits: ProbeLimits
  private var gate: ConnectivityGate
  private var outages: TargetOutages
  /// The routes of the targets that are traced, each to one address: another one has a route of its own.
  private var routes: [String: (address: IPAddress, history: RouteHistory, last: RouteTrace?)] = [:]
  private var localOutage: (outage: Outage, since: Instant)?
  /// Outages that end because nothing tells of them any more.
  private var ended: [Outage] = []

  init(_ rules: [ProbeRule], at now: Instant = .now) {
    limits = ProbeLimits(rules: rules)
    gate = ConnectivityGate(at: now)
    outages = TargetOutages()
  }

  /// True when one is configured.
  var isActive: Bool { !names.isEmpty }

  /// The thread may fail to start, not later: what cannot be sent is a result.
  var state: Recovery<KernelError>.State { recovery.state }

  /// Probes move no bytes that are not counted elsewhere.
  func outcome(until now: Instant, isAlone: Bool) -> SourceOutcome? { nil }

  /// Nothing is to be asked again for the last report.
  func refresh() {}

  /// Searches of filters that were given up, since start.
  var abandonedSearches: UInt64 { limits.abandonedSearches }

  /// Messages that had no room in a receive buffer, since start.
  private(set) var droppedMessages: UInt64 = 0

  /// How each target was at its last round, then those that are only traced.
  var states: [ProbeState] {
    // That this host's network is there need not be said.
    limits.states.filter { !$0.isUp || $0.name != ConnectivityGate.subject } + routeStates
  }

  private var routeStates: [ProbeState] {
    routes.keys.sorted().compactMap { name in
      guard !judged.contains(name), let last = routes[name]?.last else { return nil }
      return ProbeState(
        name: name, isUp: last.ending == .reached, loss: nil, roundTrip: nil, hops: last.hops.count)
    }
  }

  /// Probes what `plans` say from now on, by these limits. Where no thread is to be had, that is its `state`: it is said
  /// once and tried again.
  func use(_ plans: [ProbePlan], _ rules: [ProbeRule], at now: Instant = .now) {
    self.plans = plans
    service?.use(plans)
    // Who reads the files again has perhaps made room.
    recovery.retryAtOnce()
    start(at: now)
    names = Self.names(of: plans)
    // A trace does not say whether something answers.
    let answering = plans.filter { $0.trace == nil }
    judged = Self.names(of: answering)
    references = Self.names(of: answering.filter(\.isReference))
    let intervals = answering.compactMap { plan in plan.cadence.map { (plan.name ?? plan.host, $0) } }
    longestInterval = ([.seconds(10)] + intervals.map { $0.1 * 2 } + rules.map(\.interval)).max() ?? .zero
    gate.use(references: references, intervals: Dictionary(intervals, uniquingKeysWith: max), at: .now)
    isWatched = rules.contains(where: \.hasLimits)
    paths.keep(only: names)
    limits.reload(rules: rules)
    forgetOthers()
    routes = routes.filter { names.contains($0.key) }
    if let began = localOutage, !gate.isGuarding {
      localOutage = nil
      let downtime = Instant.now - began.since
      ended.append(
        Outage(
          subject: began.outage.subject, state: .ended(downtime: downtime, isIgnored: false),
          time: WallClock.now()))
    }
  }

  /// Starts the thread where there is something to probe and none yet.
  private func start(at now: Instant) {
    guard service == nil, !plans.isEmpty else {
      if recovery.succeed() != nil { say("no probe is configured any more.", isResolved: true) }
      return
    }
    guard recovery.isDue(at: now) else { return }
    do throws(KernelError) {
      let service = try ProbeService()
      service.use(plans)
      self.service = service
      if recovery.succeed() != nil { say("the probes of the configuration are at work.", isResolved: true) }
    } catch {
      if recovery.fail(error, at: now) {
        say("\(error) Nothing is probed for now, all else goes on. It is tried again.", isResolved: false)
      }
    }
  }

  private func say(_ text: String, isResolved: Bool) {
    warnings.append(Warning(code: "unprobed", text: text, isResolved: isResolved))
  }

  /// Continues at `now`, which is `time`, what fired at the end of an earlier run; to be called once, after `use`. An outage
  /// that an alert tells of goes on as well.
  func restore(_ alerts: [ProbeAlert], at now: Instant, _ time: Timestamp) {
    limits.restore(alerts, at: now, time)
    for alert in alerts where alert.measure == .down {
      // It was raised when the outage had lasted for a while.
      let since = now - time.passed(since: alert.since) - limits.hold(of: alert)
      let name = alert.target.name
      if name != ConnectivityGate.subject {
        outages.restore(name, since: since)
        gate.restore(down: name)
      } else if gate.isGuarding {
        gate.restore(outageSince: since, time)
        let outage = Outage(subject: name, state: .began(afterUptime: .zero), time: alert.since)
        localOutage = (outage, since)
      }
    }
    forgetOthers()
  }

  /// Forgets what is not probed, or only traced from now on.
  private func forgetOthers() {
    limits.keep(only: gate.isGuarding ? judged.union([ConnectivityGate.subject]) : judged)
    outages.keep(only: judged)
  }

  private static func names(of plans: [ProbePlan]) -> Set<String> { Set(plans.map { $0.name ?? $0.host }) }

  /// The addresses of this host by which targets with limits are reached: an alert says who moved most through their
  /// interfaces.
  func sources() -> [IPAddress] {
    for report in service?.take() ?? [] {
      pending.append(report)
      guard case .located(let target, let zone) = report, names.contains(target.name) else { continue }
      paths.locate(target, zone: zone)
    }
    return isWatched ? paths.sources : []
  }

  /// Takes what was found until `now`: results, outages and alerts, in their order. `top` are who moved most in so long a
  /// time through the interfaces that have these addresses.
  func events(
    until now: Instant, at time: Timestamp, top: (Set<IPAddress>, Duration) -> [ProbeAlert.Share]
  ) -> [Event] {
    start(at: now)
    var events =
      warnings.map { .warning($0, at: time) } + ended.map(Event.outage)
      + limits.takeRemoved(at: time).map(Event.probeAlert)
    (warnings, ended) = ([], [])
    _ = sources()
    defer { pending = [] }
    for report in pending {
      switch report {
      case .located: continue
      case .dropped(let count): droppedMessages = count
      case .warning(let warning): events.append(.warning(warning, at: time))
      case .found(let result, let now):
        guard names.contains(result.target.name) else { continue }
        events.append(.probe(result))
        if let changed = route(result) { events.append(.route(changed)) }
        events += judge(gate.take(result, at: now, time), now, time, top)
        if isWatched { paths.refresh(result.target.name) }
      }
    }
    events += judge(gate.expire(at: now), now, time, top)
    // No round tells that it goes on.
    if let localOutage {
      events += judge(Self.result(of: localOutage.outage), now, time, top, isTarget: false)
    }
    return events
  }

  /// The change of a route that a trace shows.
  private func route(_ result: ProbeResult) -> ChangedRoute? {
    guard case .trace(let trace) = result.finding else { return nil }
    let (name, address) = (result.target.name, result.target.address)
    if routes[name]?.address != address { routes[name] = (address, RouteHistory(), nil) }
    routes[name]?.last = trace
    guard let change = routes[name]?.history.record(trace) else { return nil }
    return ChangedRoute(
      target: result.target, from: change.from, to: change.to, time: result.time,
      rules: limits.rules(tellingRoutesOf: result.target))
  }

  private func judge(
    _ verdict: ConnectivityGate.Verdict, _ now: Instant, _ time: Timestamp,
    _ top: (Set<IPAddress>, Duration) -> [ProbeAlert.Share]
  ) -> [Event] {
    var events: [Event] = []
    if let outage = verdict.outage {
      events.append(.outage(outage))
      events += judge(Self.result(of: outage), now, time, top, isTarget: false)
      localOutage = if case .began = outage.state { (outage, gate.outageSince ?? now) } else { nil }
    }
    for admitted in verdict.admitted {
      // An outage is measured from the result's arrival, the `for` of an alert from its admission.
      if let outage = outages.take(admitted.result, at: admitted.arrival) { events.append(.outage(outage)) }
      events += judge(admitted.result, now, time, top)
    }
    return events
  }

  private func judge(
    _ result: ProbeResult, _ now: Instant, _ time: Timestamp,
    _ top: (Set<IPAddress>, Duration) -> [ProbeAlert.Share], isTarget: Bool = true
  ) -> [Event] {
    limits.update(with: result, at: now, time).map { alert in
      var alert = alert
      if case .resolved = alert.state {
      } else {
        // Without an interval the value is that of a round, and that is as long as it took.
        let length = max(alert.interval, time.passed(since: result.time))
        alert.top = top(paths.sources(towards: isTarget ? [result.target.name] : references), length)
      }
      return .probeAlert(alert)
    }
  }

  /// An outage of this host's network as rules with `down=yes` see it.
  private static func result(of outage: Outage) -> ProbeResult {
    let isOver = if case .ended = outage.state { true } else { false }
    return ProbeResult(
      target: ProbeTarget(name: outage.subject, address: .anyV4), time: outage.time,
      finding: .connection(port: 0, isOver ? .accepted(.zero) : .failed("all references fail")))
  }
}
