import Synchronization

/// Tells a function of one thread's results until another thread has had enough.
public final class Reporter<Value: Sendable>: Sendable {
  private let report: @Sendable (Value) -> Void
  private let isClosed = Mutex(false)

  /// Makes one that tells `report`, one value at a time.
  public init(_ report: @escaping @Sendable (Value) -> Void) { self.report = report }

  /// Tells a value, unless it is closed.
  public func tell(_ value: Value) {
    isClosed.withLock { isClosed in
      if !isClosed { report(value) }
    }
  }

  /// Waits until a call that is under way is over; nothing is reported afterwards. Not to be called by `report`.
  public func close() { isClosed.withLock { $0 = true } }
}
