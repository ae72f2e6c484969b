public import Model

/// Keeps a failure of this host's own network from looking like one of every target. Does no I/O.
///
/// A result with anything lost is held back until the references have been asked again. Where they fail, and what answered before
/// fails as well, that is one outage of local connectivity; the targets stay as they were. Without references all passes.
public struct ConnectivityGate: Sendable {
  /// What comes of a result.
  public struct Verdict: Sendable, Hashable {
    /// The results that count; those of one target in their order.
    public var admitted: [ProbeResult] = []
    /// What begins or ends.
    public var outage: Outage?
  }

  /// What an outage of this host's network is called.
  public static let subject = "local connectivity"
  /// How long a result is held back for references that say nothing.
  public static let patience = Duration.seconds(30)

  private struct Held {
    var result: ProbeResult
    var since: ContinuousClock.Instant
    /// When it came; its round was over then.
    var arrival: Timestamp
  }

  private struct Answer {
    var isUp: Bool
    /// When the round began.
    var time: Timestamp
  }

  private struct Turn {
    var at: ContinuousClock.Instant
    /// When the last round began of those that made it.
    var time: Timestamp
  }

  /// How long after an outage results with anything lost are dropped: not all of the way is back at once.
  private static let aftermath = Duration.seconds(5)

  private var references: Set<String> = []
  private var others: Set<String> = []
  /// The last of each reference.
  private var answers: [String: Answer] = [:]
  private var held: [String: [Held]] = [:]
  /// Targets whose last result that counted was a failure.
  private var down: Set<String> = []
  /// When the last round began to which a target other than a reference gave all answers.
  private var lastWhole: Turn?
  /// A target has answered while all references failed: it is them.
  private var isReferencesFault = false
  private var upSince: ContinuousClock.Instant
  private var outage: Turn?
  private var lastEnd: Turn?

  /// Knows nothing yet. `references` are those of the names `targets` that stand for this host's network.
  public init(references: Set<String> = [], targets: Set<String> = [], at now: ContinuousClock.Instant) {
    upSince = now
    use(references: references, targets: targets)
  }

  /// True while there is something to be told apart: references, and more than one target.
  public private(set) var isGuarding = false

  /// Takes other references and targets from now on.
  public mutating func use(references: Set<String>, targets: Set<String>) {
    self.references = references
    others = targets.subtracting(references)
    isGuarding = !references.isEmpty && targets.count > 1
    answers = answers.filter { references.contains($0.key) }
    held = held.filter { targets.contains($0.key) }
    down.formIntersection(targets)
    if !isGuarding { (outage, lastEnd, isReferencesFault) = (nil, nil, false) }
  }

  /// Continues an outage of an earlier run, which began at `since`; it is now `time`, and rounds of before do not end it.
  public mutating func restore(outageSince since: ContinuousClock.Instant, _ time: Timestamp) {
    if isGuarding { outage = Turn(at: since, time: time) }
  }

  /// Takes a result that came at `now`, which is `time`.
  public mutating func take(
    _ result: ProbeResult, at now: ContinuousClock.Instant, _ time: Timestamp
  ) -> Verdict {
    guard isGuarding, let isUp = result.finding.isUp else { return Verdict(admitted: admit([result])) }
    let new = Held(result: result, since: now, arrival: time)
    return isUp ? answered(new) : failed(new)
  }

  /// Nothing answers.
  private mutating func failed(_ new: Held) -> Verdict {
    if outage != nil || isInAftermath(new) { return Verdict() }
    let name = new.result.target.name
    if references.contains(name) { answers[name] = Answer(isUp: false, time: new.result.time) }
    if isReferencesFault { return Verdict(admitted: admit([new.result])) }
    held[name, default: []].append(new)
    guard let failure = referencesFailure else { return Verdict() }
    if let lastWhole, failure.isBefore(lastWhole.time), new.since - lastWhole.at < Self.patience {
      isReferencesFault = true
      return Verdict(admitted: release { _ in true })
    }
    guard doOthersFail else { return Verdict() }
    let times = held.values.compactMap(\.last?.result.time)
    outage = Turn(at: new.since, time: times.reduce(failure) { $0.isBefore($1) ? $1 : $0 })
    held = [:]
    return Verdict(outage: event(.began(afterUptime: max(.zero, new.since - upSince)), new.result.time))
  }

  /// When the last round began that says that all references fail; nil while they do not.
  private var referencesFailure: Timestamp? {
    var last: Timestamp?
    for name in references {
      guard let answer = answers[name], !answer.isUp else { return nil }
      last = last.map { $0.isBefore(answer.time) ? answer.time : $0 } ?? answer.time
    }
    return last
  }

  /// A reference alone may be at fault itself, and what was down before says nothing new.
  private var doOthersFail: Bool {
    if others.isEmpty { return true }
    let failing = others.filter { held[$0]?.last?.result.finding.isUp == false }
    return failing.contains { !down.contains($0) } || (!failing.isEmpty && others.isSubset(of: down))
  }

  /// Something answers.
  private mutating func answered(_ new: Held) -> Verdict {
    let result = new.result
    let isWhole = result.finding.isWhole
    if let outage {
      // A round of before it may be over only now; the wall clock may have been set back.
      let isNews = outage.time.isBefore(result.time) || new.since - outage.at >= Self.patience
      let admitted = isWhole ? admit([result]) : []
      return Verdict(admitted: admitted, outage: isNews ? end(outage, new) : nil)
    }
    let name = result.target.name
    let isReference = references.contains(name)
    if isReference {
      answers[name] = Answer(isUp: true, time: result.time)
      isReferencesFault = false
    }
    if !isWhole, isInAftermath(new) { return Verdict() }
    // What was lost before this round began was not lost with the references.
    var released = isReference ? release { $0.arrival.isBefore(result.time) } : []
    guard isWhole || isReferencesFault else {
      held[name, default: []].append(new)
      return Verdict(admitted: released)
    }
    if isWhole, !isReference {
      if lastWhole?.time.isBefore(result.time) ?? true { lastWhole = Turn(at: new.since, time: result.time) }
      if let failure = referencesFailure, failure.isBefore(result.time) {
        isReferencesFault = true
        released = release { _ in true }
      }
    }
    released += release { $0.result.target.name == name }
    return Verdict(admitted: released + admit([result]))
  }

  private mutating func end(_ outage: Turn, _ new: Held) -> Outage {
    let result = new.result
    let lasted = new.since - outage.at
    (self.outage, lastEnd, upSince) = (nil, Turn(at: new.since, time: result.time), new.since)
    (held, answers, isReferencesFault) = ([:], [:], false)
    if references.contains(result.target.name) {
      answers[result.target.name] = Answer(isUp: true, time: result.time)
    }
    return event(.ended(downtime: lasted, isIgnored: false), result.time)
  }

  /// Whether what is lost was lost in the last outage.
  private func isInAftermath(_ new: Held) -> Bool {
    guard let lastEnd else { return false }
    let passed = new.since - lastEnd.at
    return passed < Self.aftermath || passed < Self.patience && new.result.time.isBefore(lastEnd.time)
  }

  private mutating func release(_ isJudged: (Held) -> Bool) -> [ProbeResult] {
    var released: [ProbeResult] = []
    for name in held.keys.sorted() {
      guard let waiting = held[name] else { continue }
      // None overtakes another of its target.
      let count = waiting.lastIndex(where: isJudged).map { $0 + 1 } ?? 0
      released += waiting.prefix(count).map(\.result)
      held[name] = count == waiting.count ? nil : Array(waiting.dropFirst(count))
    }
    return admit(released)
  }

  private mutating func admit(_ results: [ProbeResult]) -> [ProbeResult] {
    for result in results {
      switch result.finding.isUp {
      case true?: down.remove(result.target.name)
      case false?: down.insert(result.target.name)
      case nil: break
      }
    }
    return results
  }

  /// Lets pass at `now` what was held back too long: the references do not say anything.
  public mutating func expire(at now: ContinuousClock.Instant) -> [ProbeResult] {
    let isGuarding = isGuarding
    return release { !isGuarding || now - $0.since >= Self.patience }
  }

  private func event(_ state: Outage.State, _ time: Timestamp) -> Outage {
    Outage(subject: Self.subject, state: state, time: time)
  }
}

extension ProbeResult.Finding {
  /// Whether it answered, and nothing was lost.
  fileprivate var isWhole: Bool {
    switch self {
    case .ping(let burst): burst.roundTrips.count >= burst.sent && !burst.roundTrips.isEmpty
    case .connection, .scan, .trace: isUp ?? true
    }
  }
}

extension Timestamp {
  fileprivate func isBefore(_ other: Timestamp) -> Bool {
    (seconds, nanoseconds) < (other.seconds, other.nanoseconds)
  }
}
