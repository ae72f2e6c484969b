public import Model
import SystemRuntime

/// What each pipe moved since it was last asked, while its engine forwards.
///
/// Bytes are TCP's payload, counted when the receiver's kernel has taken them; `received` came from clients, `sent`
/// went to them.
public final class PipeMeter: Meter {
  private let engine: PipeEngine
  private var last: [Int: Usage] = [:]
  private var moved: [Int: Usage] = [:]
  private var lastPaths: [Int: [IPAddress: Usage]] = [:]
  /// What each pipe moved in the time of the last readings through addresses of this host, as this host sees it: a byte passes
  /// by the address that its client connected to and by the one towards the target.
  public private(set) var paths: [String: [IPAddress: Usage]] = [:]
  private var lastClients: [Client: Usage] = [:]
  private var interval: Duration?
  private var lastAsked: Instant?
  private var names: ClientNames?
  private var balance = Balance()

  private struct Client: Hashable {
    var pipe: Int
    var key: ClientLedger.Key
  }

  /// Opens the pipes of `configurations` and forwards on `threads` threads until `stop()`.
  ///
  /// With `waitsForNames` targets' names are looked up first, for 3 s at most, to refuse a pipe that leads to itself;
  /// without, such a pipe refuses its clients once its name is known.
  /// `activated` are sockets that somebody else made for the first pipe to listen on. `log` gets what the
  /// administrator should know, on any thread, of each kind at most once a second.
  public init(
    _ configurations: [PipeConfiguration], threads: Int, activated: [TCPListener] = [],
    waitsForNames: Bool = true, log: @escaping @Sendable (Warning) -> Void
  ) throws(PipeError) {
    engine = try PipeEngine(threads: threads, log: log)
    try engine.apply(configurations, activated: activated, waitsForNames: waitsForNames)
  }

  /// Makes the pipes those of `configurations`: all or, when one cannot be opened, nothing changes.
  ///
  /// A pipe that stays takes its new limits at once and keeps its connections; one that is gone is closed with its.
  /// Waits for no name: a pipe that turns out to lead to itself later refuses its clients.
  public func reload(_ configurations: [PipeConfiguration]) throws(PipeError) {
    try engine.apply(configurations, waitsForNames: false)
  }

  /// Connections that are open, or wait for their target.
  public var openConnections: Int { engine.openConnections }

  /// Accepts nothing more; what is open goes on.
  public func drain() { engine.drain() }

  /// Whether all that was open when draining began has ended.
  public var isDrained: Bool { engine.isDrained }

  /// Cuts what is open and returns when nothing moves any more: the next readings are the last.
  public func stop() { engine.stop() }

  /// Returns what each pipe moved between the last call and `now`.
  public func readings(until now: Instant) -> Measurement {
    interval = lastAsked.map { now - $0 }
    lastAsked = now
    engine.refuseLateRings()
    (moved, paths) = ([:], [:])
    var measurement = Measurement(interval: interval, readings: [])
    for pipe in engine.pipes + engine.takeRemoved() {
      let total = pipe.counters.usage
      let usage = total - last[pipe.id, default: .zero]
      last[pipe.id] = total
      moved[pipe.id] = usage
      let passed = pipe.paths.usages
      for (address, usage) in passed {
        let before = lastPaths[pipe.id]?[address] ?? .zero
        // One that is gone and its successor may have one name.
        paths[pipe.name, default: [:]][address, default: .zero] += usage - before
      }
      lastPaths[pipe.id] = passed
      guard !usage.isZero else { continue }
      measurement.readings.append(Reading(owner: .pipe(pipe.name), usage: usage))
      measurement.balance.add(usage, of: .pipe(pipe.name))
    }
    last = last.filter { moved[$0.key] != nil }
    lastPaths = lastPaths.filter { moved[$0.key] != nil }
    balance += measurement.balance
    return measurement
  }

  /// Returns what the last readings found, a row for each pipe and, where that is wanted, each client.
  public func report(at time: Timestamp) -> UsageReport {
    var report = UsageReport(
      time: time, interval: interval, layer: .payload, rows: [], balance: balance, health: Health())
    for pipe in engine.pipes {
      report.rows.append(
        UsageRow(
          name: pipe.name, subject: .pipe(open: pipe.open, accepted: pipe.accepted, failed: pipe.failed),
          total: last[pipe.id, default: .zero], moved: moved[pipe.id, default: .zero]))
      if let ledger = pipe.clients { addClients(of: pipe, ledger, to: &report) }
    }
    return report
  }

  private func addClients(of pipe: Pipe, _ ledger: ClientLedger, to report: inout UsageReport) {
    if names == nil { names = ClientNames() }
    names?.name(ledger)
    let (rows, evicted, evictions) = ledger.rows()
    // What is left of the pipe's own bytes, so that a row which was folded in does not look like traffic.
    var rest = moved[pipe.id, default: .zero]
    var latest: [Client: Usage] = [:]
    for row in rows {
      let client = Client(pipe: pipe.id, key: row.key)
      latest[client] = row.usage
      let moved = interval == nil ? .zero : row.usage.growth(since: lastClients[client, default: .zero])
      rest = rest.without(moved)
      report.rows.append(
        UsageRow(
          name: row.name, subject: row.subject(pipe.name), total: row.usage, moved: moved,
          hasEnded: row.connections == 0))
    }
    lastClients = lastClients.filter { $0.key.pipe != pipe.id }.merging(latest) { $1 }
    report.health.evicted += evictions
    if !evicted.isZero {
      report.rows.append(
        UsageRow(
          name: UsageRow.evictedName,
          subject: .client(pipe: pipe.name, address: nil, process: nil, open: ledger.evictedConnections),
          total: evicted, moved: interval == nil ? .zero : rest))
    }
  }
}

extension Usage {
  /// What came since `earlier`. A name may come later than the bytes; a row with less has lost its past to others.
  fileprivate func growth(since earlier: Usage) -> Usage {
    received >= earlier.received && sent >= earlier.sent ? self - earlier : self
  }

  /// What is left beside `part`, which was read a moment later and may be more.
  fileprivate func without(_ part: Usage) -> Usage {
    Usage(received: received - min(received, part.received), sent: sent - min(sent, part.sent))
  }
}

extension ClientLedger.Row {
  fileprivate var name: String {
    switch key {
    case .address(let address): "\(address)"
    case .process(_, let name, _): name
    }
  }

  fileprivate func subject(_ pipe: String) -> UsageRow.Subject {
    switch key {
    case .address(let address): .client(pipe: pipe, address: address, process: nil, open: connections)
    case .process(let process, _, _): .client(pipe: pipe, address: nil, process: process, open: connections)
    }
  }
}
