import Model
import Output
import Probes
import SystemRuntime

/// The loop: probes, writes records, and heeds signals.
struct TargetMonitor: ~Copyable {
  private struct Lookup: Sendable {
    var plan: ProbePlan
    var answer: HostLookup.Answer
  }

  /// The hosts of a list, and the number of that list.
  private struct Answers: Sendable {
    var list: Int
    var lookups: [Lookup]
  }

  private let input: TargetInput
  private let engine: ProbeEngine
  private let signals: SignalPipe
  private let lookups: Inbox<Answers>
  /// The number of the list that was read last.
  private var lastList = 0
  private var records = RecordWriter()
  /// How the records of each job are written, by its number.
  private var formats: [Int: RecordWriter.Format] = [:]
  /// The addresses of the hosts that are probed, for when a name server does not answer at a reload.
  private var known: [String: HostLookup.Answer] = [:]
  private var isFinishing = false
  private var isStarted = false

  /// Prepares to probe. Errors: no descriptor was to be had.
  init(_ input: TargetInput) throws(KernelError) {
    let engine = try ProbeEngine()
    let lookups = try Inbox<Answers>()
    try engine.watch(lookups.waker)
    let signals = try SignalPipe()
    try engine.watch(signals)
    (self.input, self.engine, self.lookups) = (input, engine, lookups)
    self.signals = signals
  }

  /// Probes what `list` says until a signal ends it, or nobody reads the records any more. Returns false where there is
  /// nothing to be probed, or a file that was to be read again cannot be: that was said.
  mutating func run(_ list: TargetList) throws(KernelError) -> Bool {
    try lookUp(list)
    while true {
      _ = engine.wait(atMost: records.isWaiting ? .milliseconds(50) : .seconds(3600))
      try write()
      if records.isClosed { return true }
      // Of a list before, a name server may answer later.
      for answers in lookups.take() where answers.list == lastList && !use(answers.lookups) { return false }
      while let signal = signals.next() {
        switch signal {
        case .hangup: if try !reload() { return try end(isWell: false) }
        case .interrupt, .terminate:
          if isFinishing || !isStarted { return try end(isWell: true) }
          isFinishing = true
          engine.finish()
        case .resize: break
        }
      }
      if isFinishing, engine.isIdle {
        try write()
        return try end(isWell: true)
      }
    }
  }

  /// Has the hosts looked up on another thread: probes go on meanwhile.
  private mutating func lookUp(_ targets: TargetList) throws(KernelError) {
    lastList += 1
    let plans = targets.plans
    try WorkerThread.start("resolver") { [lookups, lastList] in
      let answers = HostLookup.answers(for: plans.map(\.host))
      lookups.post(Answers(list: lastList, lookups: zip(plans, answers).map(Lookup.init)))
    }
  }

  /// Takes hosts whose addresses are known; false when there are none at the start.
  private mutating func use(_ lookups: [Lookup]) -> Bool {
    // What still runs is of the list before.
    if isFinishing { return true }
    var jobs: [ProbeJob] = []
    var formats: [Int: RecordWriter.Format] = [:]
    var found: [String: HostLookup.Answer] = [:]
    for lookup in lookups {
      let host = lookup.plan.host
      var (answer, job) = (lookup.answer, lookup.plan.job(at: lookup.answer))
      if job == nil {
        Messages.say(.error(type: "Exception", "Unable to resolve host ( \(host) )"))
        // It goes on where it was.
        if let before = known[host] { (answer, job) = (before, lookup.plan.job(at: before)) }
      }
      guard let job else { continue }
      found[host] = answer
      formats[lookup.plan.line] = RecordWriter.Format(lookup.plan)
      jobs.append(job)
    }
    if jobs.isEmpty {
      let old =
        isStarted
        ? " \(input.name) has none that can be used: the list that was read before stays in force." : ""
      Messages.say(.error(type: "Exception", "No hosts could be parsed!\(old)"))
      return isStarted
    }
    (self.formats, known) = (formats, found)
    records.keep(only: jobs)
    isStarted = true
    if !isFinishing { engine.use(jobs) }
    return true
  }

  /// Reads the file again; false when that ends the program.
  private mutating func reload() throws(KernelError) -> Bool {
    guard input.isFile else {
      Messages.say(.error(type: "OSError", "No input file to read! (input given on stdin)"))
      return true
    }
    do throws(TargetInput.Failure) {
      let list = try input.read()
      for warning in list.warnings { Messages.say(.warning(warning.text)) }
      do throws(KernelError) { try lookUp(list) } catch {
        Messages.say(.error(type: "OSError", "\(error) The file that was read before stays in force."))
      }
      return true
    } catch {
      Messages.say(error.message)
      if case .unreadable = error { return false }
      Messages.say(.warning("\(input.name) is wrong: the list that was read before stays in force."))
      return true
    }
  }

  private mutating func write() throws(KernelError) {
    for note in engine.takeNotes() {
      switch note {
      case .refused(let text): Messages.say(.error(type: "PermissionError", text))
      case .overflowed(let text), .lacking(let text): Messages.say(.warning(text))
      }
    }
    // What is written together has one time.
    let time = WallClock.now()
    for outcome in engine.takeOutcomes() {
      guard let format = formats[outcome.job.number] else { continue }
      try records.write(outcome, format, at: time)
    }
    try records.flush()
  }

  /// Writes the empty line that the original ends with.
  private mutating func end(isWell: Bool) throws(KernelError) -> Bool {
    try records.finish()
    return isWell
  }
}
