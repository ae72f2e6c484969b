import Model
import Output
import Probes
import Program
import SystemRuntime

extension ConnVitals {
  /// The hosts with an address, each once; of the others a line says so.
  func resolve() -> [ProbeJob] {
    var seen: Set<String> = []
    let names = hosts.filter { seen.insert($0).inserted }
    var jobs: [ProbeJob] = []
    for (index, answer) in HostLookup.answers(for: names).enumerated() {
      guard case .success(let endpoints) = answer, let endpoint = endpoints.first(where: \.isUsable) else {
        say(.error(type: "str", "Unable to resolve host ( \(names[index]) )"))
        continue
      }
      jobs.append(job(index, names[index], endpoint))
    }
    return jobs
  }

  private func job(_ index: Int, _ name: String, _ endpoint: ZonedEndpoint) -> ProbeJob {
    var job = ProbeJob(
      number: index, target: ProbeTarget(name: name, address: endpoint.endpoint.address), zone: endpoint.zone)
    if !noPing, pings > 0 {
      job.ping = ProbeJob.Ping(interval: nil, count: pings, payload: payloadSize, timeout: timeout.duration)
    }
    if trace {
      job.trace = ProbeJob.Trace(
        interval: nil, hops: hops, timeout: hopTimeout.duration, flows: flows, isUDP: udp)
    }
    if portScan { job.scan = ProbeJob.Scan(interval: nil, timeout: timeout.duration) }
    return job
  }

  /// Probes, and writes the reports in the order of the hosts, each as soon as it and those before it are whole.
  func report(_ jobs: [ProbeJob], _ engine: ProbeEngine) throws(KernelError) {
    var reports = jobs.map { HostReport(target: $0.target) }
    // A ping of no requests has lost them all, as in the original.
    if !noPing, pings == 0 {
      for index in reports.indices { reports[index].ping = PingBurst(sent: 0, roundTrips: []) }
    }
    var writer = ReportWriter(self)
    var next = 0
    engine.use(jobs)
    let positions = Dictionary(uniqueKeysWithValues: jobs.enumerated().map { ($1.number, $0) })
    var isIdle = false
    while !isIdle {
      _ = engine.wait()
      isIdle = engine.isIdle
      for note in engine.takeNotes() {
        switch note {
        case .refused(let text): say(.error(type: "PermissionError", text))
        case .overflowed(let text), .lacking(let text): say(.warning(text))
        }
      }
      for outcome in engine.takeOutcomes() {
        guard let position = positions[outcome.job.number] else { continue }
        reports[position].take(outcome.result.finding)
        for problem in problems(of: outcome, writer) { say(.warning(problem)) }
        try writer.write(outcome.result)
      }
      while next < reports.count, isIdle || reports[next].isWhole(jobs[next]) {
        try writer.write(reports[next])
        next += 1
      }
    }
  }

  /// What is to be said of a result besides its report.
  private func problems(of outcome: ProbeEngine.Outcome, _ writer: ReportWriter) -> [String] {
    let address = outcome.job.target.address
    switch outcome.result.finding {
    case .ping(let burst):
      return burst.error.flatMap { $0.reason == .notPermitted ? nil : ["\(address): \($0)"] } ?? []
    case .scan(let scan):
      // Other formats have the reason.
      return writer.isOriginal ? ConnvitalsMessage.services(of: scan, at: address).compactMap(\.problem) : []
    case .trace, .connection: return []
    }
  }

  /// Writes a message of the original's form to standard error.
  func say(_ message: ConnvitalsMessage) {
    let line = message.line(at: WallClock.now(), color: StandardError.isTerminal)
    StandardError.write("\(line)\n")
  }
}

/// Writes reports in the wanted format.
private struct ReportWriter {
  private enum Style { case plain, json, table(ProbeTable), events(JSONRenderer) }

  private var style: Style

  /// Whether it writes the original's lines.
  var isOriginal: Bool {
    switch style {
    case .plain, .json: true
    case .table, .events: false
    }
  }

  init(_ options: ConnVitals) {
    let isTerminal = StandardOutput.isTerminal
    // connvitals' own lines have one path.
    let isTable = options.flows > 1 || isTerminal && !options.json
    switch options.format ?? (isTable ? .table : .plain) {
    case .plain: style = options.json ? .json : .plain
    case .json:
      style = .events(
        JSONRenderer(origin: JSONRenderer.Origin(host: HostName.current, version: bwmonRelease)))
    case .table:
      style = .table(
        ProbeTable(
          width: StandardOutput.terminalSize()?.columns ?? 100,
          color: isTerminal && Environment.value("NO_COLOR")?.isEmpty ?? true))
    }
  }

  /// Writes the report of a host, unless its results were written one by one.
  func write(_ report: HostReport) throws(KernelError) {
    switch style {
    case .plain: try StandardOutput.printLine(ConnvitalsText.lines(report))
    case .json: try StandardOutput.printLine(ConnvitalsJSON.line(report))
    case .table(let table):
      try StandardOutput.printLine(table.lines(report).joined(separator: "\n"))
    case .events: break
    }
  }

  /// Writes a result, in the format that has a line for each.
  mutating func write(_ result: ProbeResult) throws(KernelError) {
    guard case .events(var renderer) = style else { return }
    var bytes: [UInt8] = []
    renderer.render(.probe(result), to: &bytes)
    style = .events(renderer)
    // The line feed is the line's own.
    try StandardOutput.printLine(String(decoding: bytes.dropLast(), as: UTF8.self))
  }
}

extension HostReport {
  fileprivate mutating func take(_ finding: ProbeResult.Finding) {
    switch finding {
    case .ping(let burst): ping = burst
    case .trace(let route): trace = route
    case .scan(let services): scan = services
    case .connection: break
    }
  }

  fileprivate func isWhole(_ job: ProbeJob) -> Bool {
    (job.ping == nil || ping != nil) && (job.trace == nil || trace != nil) && (job.scan == nil || scan != nil)
  }
}
