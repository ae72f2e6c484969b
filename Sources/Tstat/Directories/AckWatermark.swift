/// Acknowledgements in any order, made a count without a hole: slices from the first on that need never be sent again.
public struct AckWatermark: Sendable, Hashable {
  /// What an acknowledgement did.
  public enum Effect: Sendable, Hashable {
    /// The count has grown to this.
    case advanced(Int)
    /// An earlier slice is still without one.
    case waits
    /// The slice had one already.
    case repeated
    /// The slice is beyond the window: it cannot have been sent.
    case notSent
  }

  /// How many slices are acknowledged, from the first on without a hole.
  public private(set) var count: Int
  /// Slices beyond `count` that are acknowledged.
  private var ahead: Set<Int> = []
  private let window: Int

  /// Begins with `count` slices acknowledged; at most `window` may be sent beyond the count.
  public init(acknowledged count: Int = 0, window: Int) {
    self.count = max(0, count)
    self.window = max(1, window)
  }

  /// How many slices beyond the count are acknowledged; fewer than the window.
  public var waiting: Int { ahead.count }

  /// Whether a slice, counted from 0, may be sent: it is within the window.
  public func mayBeSent(_ slice: Int) -> Bool { slice >= count && slice - count < window }

  /// Takes the acknowledgement of a slice, counted from 0.
  public mutating func acknowledge(_ slice: Int) -> Effect {
    guard slice >= count else { return .repeated }
    guard slice - count < window else { return .notSent }
    guard slice == count else { return ahead.insert(slice).inserted ? .waits : .repeated }
    count += 1
    while ahead.remove(count) != nil { count += 1 }
    return .advanced(count)
  }

  /// Takes the acknowledgement of a slice and all before it (basic.ack with `multiple`).
  public mutating func acknowledge(through slice: Int) -> Effect {
    guard slice >= count else { return .repeated }
    guard slice - count < window else { return .notSent }
    count = slice + 1
    ahead = ahead.filter { $0 >= count }
    while ahead.remove(count) != nil { count += 1 }
    return .advanced(count)
  }
}
