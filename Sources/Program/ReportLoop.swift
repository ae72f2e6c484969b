import Kernel
import Model

/// The loop of every program: at each tick a report, at SIGINT or SIGTERM a last one.
public struct ReportLoop: ~Copyable {
  private let ticker: Ticker
  private let count: Int?
  private let startsAtOnce: Bool

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
  /// the first interval has passed. Make it before anything that must be undone: from here on a signal only
  /// ends the loop.
  public init(period: Duration, count: Int?, startsAtOnce: Bool) throws(KernelError) {
    ticker = try Ticker(interval: period)
    self.count = count
    self.startsAtOnce = startsAtOnce
  }

  /// Runs until the count is reached, a signal ends it or nobody reads the output any more.
  ///
  /// `measure` is asked at the start and at each tick; `show` is given what it returned, but for the start
  /// without `startsAtOnce`. `show` says whether anybody still reads. `reload` is called at SIGHUP. Returns why it
  /// ended.
  @discardableResult public func run<Report>(
    measure: (ContinuousClock.Instant) throws(KernelError) -> Report,
    show: (Report) throws(KernelError) -> StandardOutput.Outcome,
    reload: () -> Void = {}
  ) throws(KernelError) -> Ending {
    var reports = 0
    let first = try measure(.now)
    if startsAtOnce {
      guard try show(first) == .written else { return .outputClosed }
      reports += 1
    }
    while reports < count ?? .max {
      switch try ticker.wait() {
      case .outputClosed: return .outputClosed
      case .signal(.hangup): reload()
      case .signal(.resize): continue
      case .signal(let signal):
        _ = try show(try measure(.now))
        return signal == .interrupt ? .interrupted : .terminated
      case .tick:
        guard try show(try measure(.now)) == .written else { return .outputClosed }
        reports += 1
      }
    }
    return .counted
  }
}
