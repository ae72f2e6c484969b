public import Model

/// Whether something works that may fail for a while, and when to try it again: at once the first time, then after
/// pauses that double, from one second to one minute.
public struct Recovery<Failure: Error>: Sendable {
  /// How it is.
  public enum State: Sendable {
    /// It works.
    case up
    /// It does not: why, since when, and when to try again.
    case failed(Failure, since: Instant, retryAt: Instant)
  }

  /// How it is.
  public private(set) var state = State.up
  /// The pause before the attempt after the next.
  private var pauses = BackOff(first: .seconds(1), longest: .seconds(60))

  /// Takes it for working.
  public init() {}

  /// Why it does not work; nil while it does.
  public var failure: Failure? {
    if case .failed(let failure, _, _) = state { failure } else { nil }
  }

  /// True when it works, or it is time to try again.
  public func isDue(at now: Instant) -> Bool {
    if case .failed(_, _, let retryAt) = state { now >= retryAt } else { true }
  }

  /// Takes note that an attempt failed at `now`; returns whether it worked until then.
  @discardableResult public mutating func fail(_ failure: Failure, at now: Instant) -> Bool {
    guard case .failed(_, let since, _) = state else {
      state = .failed(failure, since: now, retryAt: now)
      pauses.reset()
      return true
    }
    state = .failed(failure, since: since, retryAt: now + pauses.next())
    return false
  }

  /// Has the next attempt come at once, because what failed was replaced, and the pauses begin again.
  public mutating func retryAtOnce() {
    guard case .failed(let failure, let since, _) = state else { return }
    state = .failed(failure, since: since, retryAt: since)
    pauses.reset()
  }

  /// Takes note that it works; returns since when it had not, nil if it did.
  @discardableResult public mutating func succeed() -> Instant? {
    guard case .failed(_, let since, _) = state else { return nil }
    state = .up
    return since
  }
}
