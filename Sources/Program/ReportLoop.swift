public import Model
import SystemRuntime

/// The loop of every program: at each tick a report, at SIGINT or SIGTERM a last one.
public struct ReportLoop: ~Copyable {
  private let ticker: Ticker
  private let count: Int?
  private let startsAtOnce: Bool
  private let period: Duration

  /// Why a loop ended.
  public enum Ending: Sendable, Hashable {
    /// It has written as many reports as were wanted.
    case counted
    /// Nobody reads the output any more.
    case outputClosed
    /// SIGINT.
    case interrupted
    /// SIGTERM.
    case terminated
  }

  /// Makes a loop that ends after `count` reports, or never. With `startsAtOnce` the first report comes before
  /// the first interval has passed. Make it before anything that must be undone: from here on a signal only ends the
  /// loop.
  public init(period: Duration, count: Int?, startsAtOnce: Bool) throws(KernelError) {
    ticker = try Ticker(interval: period)
    self.count = count
    self.startsAtOnce = startsAtOnce
    self.period = period
  }

  /// After so many reports memory that lies free is given back.
  private static let reportsBetweenTrims = 60
  /// After so many the text of the start is unmapped.
  private static let reportsOfStart = 2
  /// How many reports in a row may fail before the program gives up.
  private static let patience = 10

  /// Runs until the count is reached, a signal ends it or nobody reads the output any more; returns which.
  ///
  /// `measure` is asked at the start and at each tick; `sink` gets what it returns, but for the start without
  /// `startsAtOnce`; events without a report do not count as one. A report that fails is said and made up for at the
  /// next tick, unless it is the first, the last or the tenth in a row. `reload` is called at SIGHUP. At SIGTERM reports
  /// go on for as long as `drain` takes; `beforeLast` comes before the report that a signal ends it with, `refresh`
  /// before any that is the last. A reader that is slow delays nothing.
  @discardableResult public func run(
    into sink: inout some Sink, _ diagnostics: Diagnostics,
    measure: (Instant) throws(KernelError) -> [Event], reload: () -> Void = {},
    drain: Drain? = nil, beforeLast: () -> Void = {}, refresh: () -> Void = {}
  ) throws(KernelError) -> Ending {
    var reports = 0
    var failures = 0
    var measured = Instant.now
    if startsAtOnce && count == 1 { refresh() }
    let first = try measure(measured)
    var outcome = WriteOutcome.written
    if startsAtOnce {
      outcome = try sink.receive(first)
      reports += 1
    }
    // An empty report does not show that.
    if !sink.isOpen { outcome = .closed }
    func attempt(isLast: Bool = false) throws(KernelError) {
      do throws(KernelError) {
        if isLast || reports + 1 == count { refresh() }
        measured = .now
        let events = try measure(measured)
        if isLast { try sink.finish(with: events) } else { outcome = try sink.receive(events) }
        failures = 0
        guard events.contains(where: \.isReport) else { return }
        reports += 1
        if reports == Self.reportsOfStart { ProcessMemory.unmapTextOfStart() }
        if reports % Self.reportsBetweenTrims == 0 { ProcessMemory.returnGaps() }
      } catch {
        failures += 1
        if isLast || failures >= Self.patience || error.isFinal { throw error }
        if failures == 1 {
          diagnostics.warning("\(error) Nothing is lost yet: the next report makes up for it.")
        }
      }
    }
    while outcome != .closed && reports < count ?? .max {
      switch try ticker.wait(isOutputWaiting: outcome == .waiting) {
      case .outputClosed: outcome = .closed
      case .outputWritable: outcome = try sink.flush()
      case .signal(.hangup): reload()
      case .signal(.resize): continue
      case .signal(let signal):
        let ending = signal == .interrupt ? Ending.interrupted : .terminated
        if ending == .terminated {
          try drain?.run(ticker) {
            // What is open goes on, whatever becomes of the reports; the last one says why.
            if .now - measured >= period { try? attempt() }
          }
        }
        beforeLast()
        try attempt(isLast: true)
        return ending
      case .tick: try attempt()
      }
    }
    return outcome == .closed ? .outputClosed : try handOver(outcome, &sink)
  }

  /// All reports are made: waits until a slow reader has them, or a signal comes.
  private func handOver(
    _ outcome: WriteOutcome, _ sink: inout some Sink
  ) throws(KernelError) -> Ending {
    var outcome = outcome
    while outcome == .waiting {
      switch try ticker.wait(isOutputWaiting: true) {
      case .outputWritable: outcome = try sink.flush()
      case .outputClosed: outcome = .closed
      case .signal(.interrupt), .signal(.terminate): return .counted
      case .signal, .tick: continue
      }
    }
    return outcome == .closed ? .outputClosed : .counted
  }
}

extension KernelError {
  /// Whether no later report can make up for it.
  fileprivate var isFinal: Bool { if case .sensorLost(_, isLasting: true) = self { true } else { false } }
}

extension Event {
  fileprivate var isReport: Bool {
    switch self {
    case .usage: true
    case .alert, .probeAlert, .warning, .probe, .outage, .route: false
    }
  }
}
