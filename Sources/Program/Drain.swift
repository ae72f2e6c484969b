import Model
import SystemRuntime

/// What SIGTERM lets go on for a while before the program ends.
public struct Drain {
  /// Looks for its end this often.
  private static let tick = Duration.milliseconds(50)

  private let limit: Duration
  private let begin: () -> Void
  private let isOver: () -> Bool

  /// `begin` is called once; after `limit` it ends even if it is not over.
  public init(atMost limit: Duration, begin: @escaping () -> Void, isOver: @escaping () -> Bool) {
    self.limit = limit
    self.begin = begin
    self.isOver = isOver
  }

  /// Waits until it is over, the limit has passed, or SIGINT or SIGTERM comes; `work` is called meanwhile, often.
  ///
  /// What is open goes on also when nobody reads the output any more. `ticker` is the loop's own, because there may be no
  /// descriptor left for another; it ticks faster from then on.
  func run(_ ticker: borrowing Ticker, _ work: () -> Void) throws(KernelError) {
    begin()
    try ticker.restart(interval: Self.tick)
    let end = Instant.now + limit
    while !isOver(), Instant.now < end {
      switch try ticker.wait(heedsOutput: false) {
      case .signal(.interrupt), .signal(.terminate): return
      default: work()
      }
    }
  }
}
