import Model

/// Who sent frames past the connection table, with packet(7) sockets: what the interfaces sent and no flow explains is
/// theirs.
///
/// What no flow explains is known about a second late, and a reading late at least. So what a process sent waits for that.
/// It does not wait for ever, as frames may be dropped on their way.
struct FrameSenders: Sendable {
  private struct Sent {
    var process: ProcessIdentity
    var description: ProcessDescription?
    var bytes: UInt64
    var time: Instant
    /// How often there was something to divide since.
    var readings = 0
  }

  /// How long frames are waited for, and for how many readings at least.
  static let patience = (time: Duration.seconds(5), readings: 3)
  /// Of so many the bytes are waited for; one process is one each time.
  static let limit = 16_384

  private var waiting: [Sent] = []
  /// Senders for whose bytes there was no room, since start.
  private(set) var dropped: UInt64 = 0

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
    at now: Instant
  ) {
    for (process, bytes) in sent.sorted(by: { $0.key < $1.key }) where bytes > 0 {
      waiting.append(
        Sent(process: process, description: descriptions[process], bytes: bytes, time: now))
    }
    let surplus = max(0, waiting.count - Self.limit)
    waiting.removeFirst(surplus)
    dropped += UInt64(surplus)
  }

  /// Divides `bytes` that the interfaces sent until `now` and no flow explains among those who sent; who sent first is
  /// first. What is left is nobody's.
  mutating func divide(_ bytes: UInt64, at now: Instant) -> [Share] {
    var rest = bytes
    var shares: [Share] = []
    var places: [ProcessIdentity: Int] = [:]
    for index in waiting.indices {
      waiting[index].readings += 1
      let part = min(rest, waiting[index].bytes)
      guard part > 0 else { continue }
      waiting[index].bytes -= part
      rest -= part
      let sent = waiting[index]
      if let place = places[sent.process] {
        shares[place].bytes += part
      } else {
        places[sent.process] = shares.count
        shares.append(Share(process: sent.process, description: sent.description, bytes: part))
      }
    }
    waiting.removeAll {
      $0.bytes == 0 || $0.readings >= Self.patience.readings && now - $0.time > Self.patience.time
    }
    return shares
  }
}
