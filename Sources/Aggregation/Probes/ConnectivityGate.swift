public import Model

/// Keeps a failure of this host's own network from looking like one of every target. Does no I/O.
///
/// A result with anything lost is held back until the references have been asked again. Where all references fail, and all
/// targets that are asked meanwhile fail with them, that is one outage of local connectivity; the targets stay as they were.
/// Where one of them answers, each speaks for itself. Without references all passes.
public struct ConnectivityGate: Sendable {
  /// What an outage of this host's network is called.
  public static let subject = "local connectivity"
  /// How long a result is held back for references and targets that say nothing. What fails so long after the references is
  /// not said to fail together with them.
  public static let patience = Duration.seconds(30)

  /// What the targets say while all references fail.
  private enum Agreement {
    /// Some will say something soon.
    case awaited
    /// All that have said something fail.
    case failing
    /// One answers.
    case answering
    /// None of them has said anything.
    case silent
  }

  /// How long after an outage results with anything lost are dropped: not all of the way is back at once.
  private static let aftermath = Duration.seconds(5)

  private var references: Set<String> = []
  private var others: Set<String> = []
  private var cadence = TargetCadence()
  /// The last of each reference.
  private var answers: [String: Answer] = [:]
  private var held: [String: [Held]] = [:]
  /// Targets whose last result that counted was a failure.
  private var down: Set<String> = []
  /// When the last round began to which a target other than a reference gave all answers.
  private var lastWhole: Turn?
  /// A target has answered while all references failed: it is them.
  private var isReferencesFault = false
  private var upSince: Instant
  private var outage: Ongoing?
  private var lastEnd: Turn?

  /// Knows nothing yet. `references` are those of the targets that stand for this host's network; `intervals` are the times
  /// from round to round of all targets, by name.
  public init(
    references: Set<String> = [], intervals: [String: Duration] = [:], at now: Instant
  ) {
    upSince = now
    use(references: references, intervals: intervals, at: now)
  }

  /// Since when this host's network fails; nil while it does not.
  public var outageSince: Instant? { outage?.since }

  /// True while there is something to be told apart: references, and more than one target.
  public private(set) var isGuarding = false

  /// Takes other references and targets from `now` on.
  public mutating func use(
    references: Set<String>, intervals: [String: Duration], at now: Instant
  ) {
    let targets = Set(intervals.keys)
    self.references = references
    others = targets.subtracting(references)
    cadence.use(intervals, at: now)
    isGuarding = !references.isEmpty && targets.count > 1
    answers = answers.filter { references.contains($0.key) }
    held = held.filter { targets.contains($0.key) }
    down.formIntersection(targets)
    if isGuarding { return }
    if outage != nil { upSince = now }
    (outage, lastEnd, isReferencesFault) = (nil, nil, false)
  }

  /// Continues an outage of an earlier run, which began at `since`; it is now `time`, and rounds of before do not end it.
  public mutating func restore(outageSince since: Instant, _ time: Timestamp) {
    if isGuarding { outage = Ongoing(known: Turn(at: since, time: time), since: since) }
  }

  /// Takes note of a target that was down at the end of an earlier run: it says nothing new.
  public mutating func restore(down name: String) {
    if isGuarding { down.insert(name) }
  }

  /// Takes a result that came at `now`, which is `time`.
  public mutating func take(
    _ result: ProbeResult, at now: Instant, _ time: Timestamp
  ) -> Verdict {
    guard isGuarding, let isUp = result.finding.isUp else {
      let name = result.target.name
      let before = isGuarding ? [] : release { $0.result.target.name == name }
      return Verdict(admitted: before + admit([Admitted(result: result, arrival: now)]))
    }
    cadence.note(result, isUp: isUp, at: now)
    let new = Held(result: result, since: now, arrival: time)
    return isUp ? answered(new) : failed(new)
  }

  /// Lets pass at `now` what was held back too long: neither references nor targets say anything to it. What waits only for
  /// targets that were to say something until now is judged without them.
  public mutating func expire(at now: Instant) -> Verdict {
    guard isGuarding else { return Verdict(admitted: release { _ in true }) }
    var verdict = outage == nil ? judge(at: now) : Verdict()
    verdict.admitted += release { now - $0.since >= Self.patience }
    return verdict
  }

  /// Nothing answers.
  private mutating func failed(_ new: Held) -> Verdict {
    if outage != nil || isInAftermath(new) { return Verdict() }
    let name = new.result.target.name
    if references.contains(name), answers[name]?.isUp ?? true {
      answers[name] = Answer(isUp: false, first: Turn(at: new.since, time: new.result.time))
    }
    if isReferencesFault, references.contains(name) || isLate(new.since) {
      // None overtakes another of its target.
      held[name, default: []].append(new)
      return Verdict(admitted: release { $0.result.target.name == name })
    }
    held[name, default: []].append(new)
    return judge(at: new.since)
  }

  /// Whether what fails `now` fails too long after the references to have failed with them.
  private func isLate(_ now: Instant) -> Bool {
    referencesFailure.map { now - $0.at >= Self.patience } ?? false
  }

  /// Since when all references fail: the first result that says so of the last one, and when that round began.
  private var referencesFailure: Turn? {
    var last: Turn?
    for name in references {
      guard let answer = answers[name], !answer.isUp else { return nil }
      if last.map({ $0.time.isBefore(answer.first.time) }) ?? true { last = answer.first }
    }
    return last
  }

  /// Decides what was held back, as far as that can be decided at `now`.
  private mutating func judge(at now: Instant) -> Verdict {
    guard let failure = referencesFailure, let first = held.values.joined().map(\.since).min() else {
      return Verdict()
    }
    var verdict = Verdict()
    if let lastWhole, now - lastWhole.at < Self.patience, failure.time.isBefore(lastWhole.time) {
      isReferencesFault = true
      verdict.admitted = releaseForAnswer(lastWhole.time)
    }
    switch agreement(since: failure.time, at: now, until: first + Self.patience) {
    case .awaited, .silent: break
    case .answering:
      isReferencesFault = true
      verdict.admitted += release { _ in true }
    case .failing:
      let times = held.values.compactMap(\.last?.result.time)
      let last = times.reduce(failure.time) { $0.isBefore($1) ? $1 : $0 }
      // Where a target has answered since the references fail, it began after that.
      let since = max(failure.at, lastWhole?.at ?? failure.at)
      outage = Ongoing(known: Turn(at: now, time: last), since: since)
      held = [:]
      verdict.outage = event(.began(afterUptime: max(.zero, since - upSince)), failure.time)
    }
    return verdict
  }

  /// A reference alone may be at fault itself, and what was down before says nothing new.
  private func agreement(
    since failure: Timestamp, at now: Instant, until end: Instant
  ) -> Agreement {
    if others.isEmpty { return .failing }
    let failing = others.filter { held[$0]?.last?.result.finding.isUp == false }
    let standings = others.subtracting(failing).subtracting(down).map {
      cadence.standing(of: $0, since: failure, at: now, until: end)
    }
    if standings.contains(.awaited) { return .awaited }
    if standings.contains(.answering) { return .answering }
    let isNew = !failing.isSubset(of: down) || others.isSubset(of: down)
    return !failing.isEmpty && isNew ? .failing : .silent
  }

  /// Something answers.
  private mutating func answered(_ new: Held) -> Verdict {
    let result = new.result
    let name = result.target.name
    let isReference = references.contains(name)
    let isWhole = result.finding.isWhole
    if isWhole, !isReference, lastWhole?.time.isBefore(result.time) ?? true {
      lastWhole = Turn(at: new.since, time: result.time)
    }
    if let outage {
      // A round of before it may be over only now; the wall clock may have been set back.
      let isLater = outage.known.time.isBefore(result.time) || new.since - outage.known.at >= Self.patience
      let admitted = isWhole ? admit([new.admitted]) : []
      return Verdict(admitted: admitted, outage: isLater ? end(outage, new) : nil)
    }
    if isReference {
      answers[name] = Answer(isUp: true, first: Turn(at: new.since, time: result.time))
      isReferencesFault = false
    }
    if !isWhole, isInAftermath(new) { return Verdict() }
    // What was lost before this round began was not lost with the references.
    var released = isReference ? release { $0.arrival.isBefore(result.time) } : []
    guard isWhole || isReferencesFault && isLate(new.since) else {
      held[name, default: []].append(new)
      return Verdict(admitted: released)
    }
    if isWhole, !isReference, let failure = referencesFailure, failure.time.isBefore(result.time) {
      isReferencesFault = true
      released = releaseForAnswer(result.time)
    }
    released += release { $0.result.target.name == name }
    return Verdict(admitted: released + admit([new.admitted]))
  }

  /// A target has answered a round that began at `time`, while all references fail: they speak for themselves, and so does
  /// what failed in a round of before. What fails later may still be all.
  private mutating func releaseForAnswer(_ time: Timestamp) -> [Admitted] {
    let references = references
    return release { references.contains($0.result.target.name) || $0.result.time.isBefore(time) }
  }

  private mutating func end(_ outage: Ongoing, _ new: Held) -> Outage {
    let result = new.result
    let lasted = new.since - outage.since
    (self.outage, lastEnd, upSince) = (nil, Turn(at: new.since, time: result.time), new.since)
    (held, isReferencesFault) = ([:], false)
    // What fails from now on may fail together again, but who ended this has answered without them.
    for name in answers.keys { answers[name]?.first.at = new.since }
    if references.contains(result.target.name) {
      answers[result.target.name] = Answer(isUp: true, first: Turn(at: new.since, time: result.time))
    }
    return event(.ended(downtime: lasted, isIgnored: false), result.time)
  }

  /// Whether what is lost was lost in the last outage.
  private func isInAftermath(_ new: Held) -> Bool {
    guard let lastEnd else { return false }
    let passed = new.since - lastEnd.at
    return passed < Self.aftermath || passed < Self.patience && new.result.time.isBefore(lastEnd.time)
  }

  private mutating func release(_ isJudged: (Held) -> Bool) -> [Admitted] {
    var released: [Admitted] = []
    for name in held.keys.sorted() {
      guard let waiting = held[name] else { continue }
      // None overtakes another of its target.
      let count = waiting.lastIndex(where: isJudged).map { $0 + 1 } ?? 0
      released += waiting.prefix(count).map(\.admitted)
      held[name] = count == waiting.count ? nil : Array(waiting.dropFirst(count))
    }
    return admit(released)
  }

  private mutating func admit(_ results: [Admitted]) -> [Admitted] {
    for result in results.map(\.result) {
      switch result.finding.isUp {
      case true?: down.remove(result.target.name)
      case false?: down.insert(result.target.name)
      case nil: break
      }
    }
    return results
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
