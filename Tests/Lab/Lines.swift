import Synchronization

/// The lines that were written, by whichever thread.
public final class Lines: Sendable {
  private let lines = Mutex<[String]>([])

  /// None yet.
  public init() {}

  /// All of them, in their order.
  public var all: [String] { lines.withLock { $0 } }

  /// How many they are.
  public var count: Int { lines.withLock { $0.count } }

  /// Adds one.
  public func append(_ line: String) { lines.withLock { $0.append(line) } }
}
