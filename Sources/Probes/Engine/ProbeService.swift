public import Model
public import SystemRuntime

/// An engine on a thread of its own, for a program whose loop does something else.
///
/// Names are looked up on further threads, again and again while they have no address: a host that is not known yet delays
/// nothing.
public final class ProbeService: Sendable {
  /// What the service says.
  public enum Report: Sendable, Hashable {
    /// This is asked from now on; `zone` is the interface of a link-local address.
    case located(ProbeTarget, zone: UInt32)
    /// A round is over.
    case found(ProbeResult, at: Instant)
    /// So many messages had no room in a receive buffer, since start.
    case dropped(UInt64)
    /// What is to be known, or no longer so.
    case warning(Warning)
  }

  private enum Command: Sendable {
    case use([ProbePlan])
    case resolved([ResolvedPlan], number: Int)
    case stop
  }

  private let commands: Inbox<Command>
  private let reports: Inbox<Report>

  /// The most reports that wait to be taken; what has no room is counted by a warning.
  private static let capacity = 65_536

  /// Starts the thread. Errors: no thread or descriptor was to be had.
  public init() throws(KernelError) {
    let commands = try Inbox<Command>()
    let reports = try Inbox<Report>(capacity: Self.capacity)
    (self.commands, self.reports) = (commands, reports)
    let engine = try ProbeEngine()
    try engine.watch(commands.waker)
    let loop = Loop(engine, commands, reports)
    try WorkerThread.start("probes") { loop.run() }
  }

  deinit { commands.post(.stop) }

  /// Probes what `plans` say from now on, and nothing else; returns at once.
  public func use(_ plans: [ProbePlan]) { commands.post(.use(plans)) }

  /// Takes what was found since the last call, in its order.
  public func take() -> [Report] { reports.take() }

  fileprivate struct ResolvedPlan: Sendable {
    var plan: ProbePlan
    var answer: HostLookup.Answer
  }

  /// What the thread does.
  private final class Loop {
    private let engine: ProbeEngine
    private let commands: Inbox<Command>
    private let reports: Inbox<Report>
    private var plans: [ProbePlan] = []
    private var jobs: [ProbePlan: ProbeJob] = [:]
    private var unresolved: Set<ProbePlan> = []
    private var number = 0
    private var nextLookup: Instant?
    private var nextRefresh: Instant?
    private var isLookingUp = false
    private var unreported = 0
    private var dropped: UInt64 = 0

    /// How long a name that has no address is left alone.
    private static let lookupPause = Duration.seconds(30)
    /// How long the addresses of names are used: a host may move.
    private static let refreshPause = Duration.seconds(300)

    init(_ engine: ProbeEngine, _ commands: Inbox<Command>, _ reports: Inbox<Report>) {
      (self.engine, self.commands, self.reports) = (engine, commands, reports)
    }

    func run() {
      while true {
        let now = Instant.now
        if !isLookingUp {
          if let next = nextRefresh, now >= next {
            lookUp(plans.filter { jobs[$0] == nil || Self.isName($0) })
          } else if let next = nextLookup, now >= next {
            lookUp(plans.filter { jobs[$0] == nil })
          }
        }
        let next = [nextLookup, nextRefresh].compactMap(\.self).min()
        let pause = isLookingUp ? nil : next.map { max(.zero, $0 - now) }
        _ = engine.wait(atMost: pause ?? .seconds(3600))
        report()
        for command in commands.take() {
          switch command {
          case .use(let plans): use(plans)
          case .resolved(let answers, let number):
            isLookingUp = false
            if number == self.number { resolve(answers) }
          case .stop: return
          }
        }
      }
    }

    private func use(_ plans: [ProbePlan]) {
      number += 1
      self.plans = plans
      let wanted = Set(plans)
      jobs = jobs.filter { wanted.contains($0.key) }
      for plan in unresolved.subtracting(wanted) {
        say(Self.code(plan), "\(plan.host) is not probed any more", isResolved: true)
      }
      unresolved = unresolved.intersection(wanted)
      engine.use(plans.compactMap { jobs[$0] })
      lookUp(plans.filter { jobs[$0] == nil || Self.isName($0) })
    }

    private static func isName(_ plan: ProbePlan) -> Bool { IPAddress(plan.host) == nil }

    private func lookUp(_ plans: [ProbePlan]) {
      nextLookup = nil
      nextRefresh = self.plans.contains(where: Self.isName) ? .now + Self.refreshPause : nil
      if plans.isEmpty { return }
      let number = number
      do throws(KernelError) {
        try WorkerThread.start("resolver") { [commands] in
          let answers = HostLookup.answers(for: plans.map(\.host))
          commands.post(.resolved(zip(plans, answers).map(ResolvedPlan.init), number: number))
        }
        isLookingUp = true
      } catch {
        nextLookup = .now + Self.lookupPause
        say("probe_names", "\(error)")
      }
    }

    private func resolve(_ answers: [ResolvedPlan]) {
      for resolved in answers {
        let plan = resolved.plan
        let code = Self.code(plan)
        if let job = plan.job(at: resolved.answer) {
          jobs[plan] = job
          _ = reports.post(.located(job.target, zone: job.zone))
          if unresolved.remove(plan) != nil {
            say(code, "\(plan.host) has an address again", isResolved: true)
          }
        } else if jobs[plan] == nil, unresolved.insert(plan).inserted {
          say(
            code,
            "\(plan.host) has no address\(Self.why(resolved.answer)): it is looked up again every "
              + "\(Self.lookupPause.components.seconds) s; check the name and /etc/resolv.conf.")
        }
      }
      engine.use(plans.compactMap { jobs[$0] })
      if !unresolved.isEmpty { nextLookup = .now + Self.lookupPause }
    }

    private static func code(_ plan: ProbePlan) -> String { "probe_name:\(plan.name ?? plan.host)" }

    private static func why(_ answer: HostLookup.Answer) -> String {
      if case .failure(let failure) = answer { " (\(failure.description))" } else { "" }
    }

    private func report() {
      for note in engine.takeNotes() {
        switch note {
        case .refused(let text): say("probe_refused", text)
        case .overflowed(let text): say("probe_overflow", text)
        case .lacking(let text): say("probe_lacking", text)
        }
      }
      if engine.droppedMessages != dropped, reports.post(.dropped(engine.droppedMessages)) {
        dropped = engine.droppedMessages
      }
      for outcome in engine.takeOutcomes() where !reports.post(.found(outcome.result, at: .now)) {
        unreported += 1
      }
      if unreported > 0 {
        say("probes_unreported", "\(unreported) results of probes had no room: probe less often.")
      }
    }

    private func say(_ code: String, _ text: String, isResolved: Bool = false) {
      let isTaken = reports.post(.warning(Warning(code: code, text: text, isResolved: isResolved)))
      if isTaken, code == "probes_unreported" { unreported = 0 }
    }
  }
}
