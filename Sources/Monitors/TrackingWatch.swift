import Model

/// Decides whether the kernel has ceased to track connections: the rule that asked for it is gone.
///
/// Then every counter of the table stands still and no new flow comes, while the interfaces move bytes. That alone is no
/// sign: much is untracked by design (`notrack`, ARP, multicast that nobody here wants, frames that a bridge passes). So
/// the table must have explained most bytes until then, and what it does not explain must have grown.
struct TrackingWatch: Sendable {
  /// What one reading showed.
  struct Reading: Sendable {
    /// How long it was.
    var interval: Duration
    /// Bytes that the interfaces moved, both directions together.
    var moved: UInt64
    /// Bytes of tracked and counted flows among them.
    var tracked: UInt64
    /// Whether the two can be compared: the interfaces were read, accounting is on, nothing is offloaded.
    var isComparable = true
  }

  /// What is to be done.
  enum Change: Sendable, Hashable {
    case nothing
    /// Tracking has ended; so many bytes have passed unseen in so much time.
    case ended(bytes: UInt64, over: Duration)
    /// Flows are tracked again.
    case returned
  }

  /// How long nothing must have been tracked.
  static let patience = Duration.seconds(6)
  /// Bytes a second that the interfaces must move meanwhile: an idle host receives that much from its neighbours.
  static let noise = 3_000.0
  /// How much of the bytes the table must have explained before.
  static let usualShare = 0.5
  /// By how much what it does not explain must have grown.
  static let growth = 2.0
  /// Over how many seconds it is remembered how it was before.
  private static let memory = 60.0

  /// The latest readings without a tracked byte.
  private var silence: [Reading] = []
  /// How it was while flows were tracked; what is longer ago weighs less.
  private var usual = (seconds: 0.0, moved: 0.0, tracked: 0.0)
  private(set) var hasEnded = false

  /// Takes a reading; returns what is to be done.
  mutating func update(_ reading: Reading) -> Change {
    guard reading.isComparable else {
      silence = []
      return .nothing
    }
    if reading.tracked > 0 {
      for earlier in silence { learn(earlier) }
      learn(reading)
      silence = []
      defer { hasEnded = false }
      return hasEnded ? .returned : .nothing
    }
    silence.append(reading)
    while silence.dropFirst().reduce(.zero, { $0 + $1.interval }) >= Self.patience { silence.removeFirst() }
    let time = silence.reduce(.zero) { $0 + $1.interval }
    let bytes = silence.reduce(0) { $0 + $1.moved }
    guard !hasEnded, time >= Self.patience, isUnusual(Double(bytes) / time.inSeconds) else { return .nothing }
    hasEnded = true
    return .ended(bytes: bytes, over: time)
  }

  /// True where so many untracked bytes a second cannot be what they were before.
  private func isUnusual(_ rate: Double) -> Bool {
    let isUsual = usual.moved > 0 && usual.tracked >= usual.moved * Self.usualShare
    guard isUsual, usual.seconds > 0 else { return false }
    let untracked = max(0, usual.moved - usual.tracked) / usual.seconds
    return rate >= max(Self.noise, Self.growth * untracked)
  }

  private mutating func learn(_ reading: Reading) {
    let seconds = reading.interval.inSeconds
    let kept = Self.memory / (Self.memory + seconds)
    usual.seconds = usual.seconds * kept + seconds
    usual.moved = usual.moved * kept + Double(reading.moved)
    usual.tracked = usual.tracked * kept + Double(reading.tracked)
  }
}
