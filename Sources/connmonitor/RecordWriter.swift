import Model
import Output
import Probes
import Program
import SystemRuntime

/// Writes records to standard output, and what is wrong to standard error once for as long as it is so.
struct RecordWriter {
  private var output = RetryingOutput { text, _ in Messages.say(.warning(text)) }
  /// Records that `flush` writes at once.
  private var batch: [UInt8] = []
  private var outcome = WriteOutcome.written
  private var routes: [ProbeJob: RouteChange] = [:]
  /// Paths and services with which something is wrong, which was said.
  private var problems: Set<Matter> = []

  /// What a line of the list says of its records.
  struct Format {
    let usesJSON: Bool
    let hasTimestamp: Bool

    init(_ plan: ProbePlan) { (usesJSON, hasTimestamp) = (plan.usesJSON, plan.hasTimestamp) }
  }

  private struct Matter: Hashable {
    var job: ProbeJob
    /// The port of a service, 0 for the path.
    var port: UInt16
  }

  /// True while a reader is slow.
  var isWaiting: Bool { outcome == .waiting }
  /// True when nobody reads any more.
  var isClosed: Bool { outcome == .closed }

  /// Forgets all of targets that are not among `jobs`.
  mutating func keep(only jobs: [ProbeJob]) {
    let kept = Set(jobs)
    routes = routes.filter { kept.contains($0.key) }
    problems = problems.filter { kept.contains($0.job) }
  }

  /// Adds the record of a result; `flush` writes it. Its time is `time`, that of the writing, as the original's is.
  ///
  /// Left out is a route that was written before, and one that this host had no means to find: a record of that would say
  /// that the target is down.
  mutating func write(
    _ found: ProbeEngine.Outcome, _ format: Format, at time: Timestamp
  ) throws(KernelError) {
    say(found)
    if found.result.finding.isLacking { return }
    if case .trace(let trace) = found.result.finding,
      !routes[found.job, default: RouteChange()].record(trace).isShown
    {
      return
    }
    var result = found.result
    result.time = time
    guard
      let record = ConnmonitorRecord(
        result, usesJSON: format.usesJSON, hasTimestamp: format.hasTimestamp)
    else { return }
    if isClosed { return }
    batch += record.bytes
    batch.append(UInt8(ascii: "\n"))
    // A record that has no room behind those that wait is left out and counted by itself.
    if isWaiting || output.isFailing { try writeBatch() }
  }

  private mutating func writeBatch() throws(KernelError) {
    outcome = try output.write(batch)
    batch.removeAll(keepingCapacity: true)
  }

  /// Writes what was added, and goes on with what waits for a slow reader.
  mutating func flush() throws(KernelError) {
    if !batch.isEmpty { try writeBatch() } else if isWaiting { outcome = try output.flush() }
    if isWaiting || output.isFailing { return }
    if let loss = output.takeLossBySlowReader(of: "records") { Messages.say(.warning(loss)) }
  }

  /// Writes an empty line, and waits a second at most for a slow reader.
  mutating func finish() throws(KernelError) {
    if isClosed { return }
    _ = try output.write([UInt8(ascii: "\n")])
    try output.finish(within: .seconds(1))
  }

  private mutating func say(_ found: ProbeEngine.Outcome) {
    let address = found.job.target.address
    switch found.result.finding {
    case .ping(let burst):
      note(found.job, 0, burst.error.map { "\(address): \($0)" })
    case .scan(let scan):
      for (port, problem) in ConnvitalsMessage.services(of: scan, at: address) {
        note(found.job, port, problem)
      }
    case .trace, .connection: break
    }
  }

  private mutating func note(_ job: ProbeJob, _ port: UInt16, _ problem: String?) {
    // Most of the time nothing is wrong anywhere.
    if problem == nil, problems.isEmpty { return }
    let matter = Matter(job: job, port: port)
    // Another reason for the same is not said again.
    if let problem, problems.insert(matter).inserted { Messages.say(.warning(problem)) }
    if problem == nil { problems.remove(matter) }
  }
}

extension ProbeResult.Finding {
  /// Whether this host lacked descriptors, memory or ports for a part of it.
  fileprivate var isLacking: Bool {
    switch self {
    case .ping(let burst): burst.isUnknown && burst.error?.reason == .notSent
    case .scan(let scan): scan.isPartial
    case .trace, .connection: false
    }
  }
}
