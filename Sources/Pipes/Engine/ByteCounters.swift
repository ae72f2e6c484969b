import Model
import Synchronization

/// Bytes that were delivered, counted by workers and read by the meter while they flow.
final class ByteCounters: Sendable {
  private let received = Atomic<UInt64>(0)
  private let sent = Atomic<UInt64>(0)

  /// Counts bytes that the receiver's kernel has taken.
  func add(_ bytes: Int, _ direction: Direction) {
    switch direction {
    case .received: received.wrappingAdd(UInt64(bytes), ordering: .relaxed)
    case .sent: sent.wrappingAdd(UInt64(bytes), ordering: .relaxed)
    }
  }

  /// What was counted so far: what came from clients, and what went to them.
  var usage: Usage { Usage(received: received.load(ordering: .relaxed), sent: sent.load(ordering: .relaxed)) }
}

/// Where bytes go, from the pipe's view.
enum Direction: Sendable, Hashable {
  /// From clients to the target.
  case received
  /// From the target to clients.
  case sent

  /// The same from the other side.
  var reversed: Direction { self == .received ? .sent : .received }
}
