import Synchronization

/// Values from other threads for a loop that waits in a poller.
public final class Inbox<Value: Sendable>: Sendable {
  /// Wakes the loop when a value comes.
  public let waker: Waker

  private let values = Mutex<[Value]>([])
  private let capacity: Int

  /// Makes an empty one that holds at most `capacity` values; without it, who posts has a bound. Errors: no descriptor was to be
  /// had.
  public init(capacity: Int = .max) throws(KernelError) {
    waker = try Waker()
    self.capacity = capacity
  }

  /// Leaves a value; false where there is no room for it.
  @discardableResult public func post(_ value: Value) -> Bool {
    let isTaken = values.withLock { values in
      guard values.count < capacity else { return false }
      values.append(value)
      return true
    }
    if isTaken { waker.wake() }
    return isTaken
  }

  /// Takes all values, the oldest first.
  public func take() -> [Value] {
    waker.reset()
    return values.withLock { values in
      defer { values = [] }
      return values
    }
  }
}
