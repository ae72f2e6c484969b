import Kernel
import Model
import Pipes
import Program

/// The pipes of the monitor configuration; their threads start with the first of them.
final class PipeSet {
  /// How many connections had not ended when they were drained.
  private(set) var cut = 0
  private var isDraining = false
  private let diagnostics: Diagnostics
  private var meter: PipeMeter?
  private var areConfigured = false

  init(_ diagnostics: Diagnostics) { self.diagnostics = diagnostics }

  /// True when none is configured, and none that was has an open connection.
  var isEmpty: Bool { !areConfigured && meter?.openConnections ?? 0 == 0 }

  /// Makes the pipes those of `configurations`: all, or nothing changes. At the start it may wait for names; a reload
  /// delays no tick.
  func use(_ configurations: [Pipes.Configuration], isStart: Bool) throws(PipeError) {
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

  /// What each pipe moved since it was last asked.
  ///
  /// With `areInBalance` another meter counts the same bytes: the balance has them already.
  func readings(until now: ContinuousClock.Instant, areInBalance: Bool) -> Measurement {
    guard var measurement = meter?.readings(until: now) else {
      return Measurement(interval: nil, readings: [])
    }
    if areInBalance { measurement.balance = Balance() }
    return measurement
  }

  /// Accepts nothing more and lets what is open go on for `time`; nil for none.
  func drain(for time: Duration) -> Drain? {
    guard time > .zero else { return nil }
    return Drain(atMost: time) { [self] in
      isDraining = true
      meter?.drain()
    } isOver: { [self] in
      meter?.isDrained ?? true
    }
  }

  /// Cuts what is open.
  func stop() {
    if isDraining { cut += meter?.openConnections ?? 0 }
    meter?.stop()
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
