import Model
import Pipes
import Program
import SystemRuntime

/// The pipes of the monitor configuration as a source; their threads start with the first of them.
final class PipeSource: Source {
  /// How many connections had not ended when they were drained.
  private(set) var cut = 0
  private var isDraining = false
  private let diagnostics: Diagnostics
  private var meter: PipeMeter?
  private var areConfigured = false

  init(_ diagnostics: Diagnostics) { self.diagnostics = diagnostics }

  /// True when one is configured, or one that was has an open connection.
  var isActive: Bool { areConfigured || meter?.openConnections ?? 0 > 0 }

  /// Threads that forward do not fail after their start.
  var state: Recovery<KernelError>.State { .up }

  /// Whether another source counts the same bytes: the connection table holds them as this program's own.
  private var areCountedElsewhere = false
  private var areCountedHereNext = false

  /// Says whether another source counts the same bytes from now on. One that ends has counted a part of this interval, so that
  /// they are this source's from the next one on: better a part is in no balance than in two.
  func set(countedElsewhere: Bool) {
    areCountedHereNext = areCountedElsewhere && !countedElsewhere
    if countedElsewhere { areCountedElsewhere = true }
  }

  /// The interfaces of addresses of this host, as far as they are known: what pipes move there is said of readings.
  var interfaces: [IPAddress: Int32] = [:]

  /// The addresses of this host that pipes move bytes through.
  var addresses: Set<IPAddress> { Set(meter?.paths.values.flatMap(\.keys) ?? []) }

  /// Makes the pipes those of `configurations`: all, or nothing changes. At the start it may wait for names; a reload
  /// delays no tick.
  func use(_ configurations: [PipeConfiguration], isStart: Bool) throws(PipeError) {
    if let meter {
      try meter.reload(configurations)
      areConfigured = !configurations.isEmpty
      return
    }
    if configurations.isEmpty { return }
    let threads = min(4, Processors.count)
    meter = try PipeMeter(configurations, threads: threads, waitsForNames: isStart) { [diagnostics] in
      diagnostics.warning($0)
    }
    areConfigured = true
  }

  /// What each pipe moved since it was last asked; nil before the first.
  func outcome(until now: Instant, isAlone: Bool) -> SourceOutcome? {
    guard var measurement = meter?.readings(until: now) else { return nil }
    if areCountedElsewhere { measurement.balance = Balance() }
    if areCountedHereNext { (areCountedElsewhere, areCountedHereNext) = (false, false) }
    var paths = meter?.paths ?? [:]
    for index in measurement.readings.indices {
      guard case .pipe(let name) = measurement.readings[index].owner else { continue }
      for (address, usage) in paths.removeValue(forKey: name) ?? [:] where !usage.isZero {
        guard let interface = interfaces[address] else { continue }
        measurement.readings[index].interfaces.add(usage, through: interface)
      }
    }
    return (measurement, false)
  }

  /// Nothing is believed that could be asked for.
  func refresh() {}

  /// Accepts nothing more and lets what is open go on for `time`; nil for none.
  func drain(for time: Duration) -> Drain? {
    guard time > .zero else { return nil }
    return Drain(atMost: time) { [self] in
      isDraining = true
      meter?.drain()
      diagnostics.noteDraining(meter?.openConnections ?? 0, atMost: time)
    } isOver: { [self] in
      meter?.isDrained ?? true
    }
  }

  /// Cuts what is open.
  func stop() { meter?.stop() }

  /// Cuts what is open at a signal or the last report, and says how much that was.
  func cutOpen() {
    let open = meter?.openConnections ?? 0
    if isDraining { cut += open }
    stop()
    diagnostics.noteCut(open)
  }
}

extension ExitStatus {
  /// What the program exits with when a pipe cannot be opened.
  init(_ error: PipeError) {
    self =
      switch error {
      case .at(_, let error): ExitStatus(error)
      case .loop, .ring, .duplicate: .configuration
      case .privileged: .noPermission
      case .inUse, .ours, .notLocal, .noInterface, .cannotListen: .unavailable
      case .kernel(let error): ExitStatus(error)
      }
  }
}
