import Model

/// Who sent frames past the connection table, with packet(7) sockets: theirs is what the interfaces sent and no flow
/// explains.
///
/// That is known about a second late, and frames may be dropped on their way. So what a process sent waits for its bytes,
/// and not for ever.
struct FrameSenders: Sendable {
  private struct Sent {
    var process: ProcessIdentity
    var description: ProcessDescription?
    var bytes: UInt64
    var time: ContinuousClock.Instant
  }

  /// How long frames are waited for.
  static let patience = Duration.seconds(5)
  /// Of so many the bytes are waited for; one process is one each time.
  static let limit = 16_384

  private var waiting: [Sent] = []

  /// What one of them sent of what was to be explained.
  struct Share: Sendable, Hashable {
    var process: ProcessIdentity
    /// What it runs, or ran.
    var description: ProcessDescription?
    var bytes: UInt64
  }

  /// Takes what was sent until `now`, as network packets.
  mutating func add(
    _ sent: [ProcessIdentity: UInt64], describedBy descriptions: [ProcessIdentity: ProcessDescription] = [:],
    at now: ContinuousClock.Instant
  ) {
    waiting.removeAll { now - $0.time > Self.patience }
    for (process, bytes) in sent.sorted(by: { $0.key < $1.key }) where bytes > 0 {
      waiting.append(
        Sent(process: process, description: descriptions[process], bytes: bytes, time: now))
    }
    waiting.removeFirst(max(0, waiting.count - Self.limit))
  }

  /// Divides `bytes` that the interfaces sent and no flow explains among those who sent; who sent first is first. What
  /// is left is nobody's.
  mutating func divide(_ bytes: UInt64) -> [Share] {
    var rest = bytes
    var shares: [Share] = []
    for place in waiting.indices where rest > 0 {
      let share = min(rest, waiting[place].bytes)
      waiting[place].bytes -= share
      rest -= share
      if let known = shares.firstIndex(where: { $0.process == waiting[place].process }) {
        shares[known].bytes += share
      } else {
        shares.append(
          Share(
            process: waiting[place].process, description: waiting[place].description, bytes: share))
      }
    }
    waiting.removeAll { $0.bytes == 0 }
    return shares
  }
}
