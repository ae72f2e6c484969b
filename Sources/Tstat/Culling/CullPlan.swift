public import SystemRuntime

/// Which directories are removed, and in what order: first those marked as sent so many hours ago; then, while all directories
/// together take more than a limit, the oldest marked ones.
public struct CullPlan: Sendable {
  /// Why a directory is removed.
  public enum Cause: Sendable, Hashable {
    /// It was marked this long ago.
    case expired(age: Duration)
    /// All directories together take more than the limit.
    case tooMuch
  }

  /// Why a directory stays.
  public enum Reason: Sendable, Hashable {
    /// It is not marked as sent.
    case notProcessed
    /// It has a state file: a part of it was sent.
    case unfinished
    /// It may still be written.
    case live(SettleRule.Reason)
    /// It is what --directory names.
    case root
    /// It was marked only this long ago.
    case young(age: Duration)
    /// It was marked this long after now: a clock was wrong.
    case future(by: Duration)
  }

  /// A directory that is to be removed.
  public struct Removal: Sendable, Hashable {
    /// Its place in the list.
    public var index: Int
    /// Why.
    public var cause: Cause
  }

  /// The directories, in the order of time.
  public let directories: [LogDirectory]
  /// What all that are left take on the disk.
  public private(set) var totalBytes: Int64

  private let bytes: [Int64]
  private let live: [Int: SettleRule.Reason]
  private let ttl: Duration
  private let maxBytes: Int64?
  private let now: FileTime
  private var isTaken: [Bool]
  private var nextExpired = 0
  private var nextOldest = 0

  /// Plans for directories in the order of time; `bytes` is what each takes on the disk, `live` which may still be written.
  ///
  /// `bytes` may be empty without `maxBytes`. A mark is old enough when it is `ttlHours` old, to the nanosecond; below zero
  /// counts as zero.
  public init(
    _ directories: [LogDirectory], bytes: [Int64] = [], live: [Int: SettleRule.Reason], ttlHours: Int,
    maxBytes: Int64? = nil, now: FileTime
  ) {
    self.directories = directories
    self.bytes = bytes
    self.live = live
    // No file's time is further away than this many hours.
    ttl = .seconds(3600) * min(max(0, ttlHours), 10_000_000)
    self.maxBytes = maxBytes
    self.now = now
    isTaken = directories.map { _ in false }
    totalBytes = bytes.reduce(0) { $0.addingReportingOverflow($1).overflow ? .max : $0 + $1 }
  }

  /// The next one to remove; nil when the others stay. It is not given again: say with `removed` when it is gone.
  public mutating func next() -> Removal? {
    while nextExpired < directories.count {
      defer { nextExpired += 1 }
      guard obstacle(nextExpired) == nil, let age = age(nextExpired), age >= ttl, age >= .zero else {
        continue
      }
      isTaken[nextExpired] = true
      return Removal(index: nextExpired, cause: .expired(age: age))
    }
    guard let maxBytes else { return nil }
    while totalBytes > maxBytes, nextOldest < directories.count {
      defer { nextOldest += 1 }
      guard !isTaken[nextOldest], obstacle(nextOldest) == nil else { continue }
      isTaken[nextOldest] = true
      return Removal(index: nextOldest, cause: .tooMuch)
    }
    return nil
  }

  /// Takes note that a directory is gone.
  public mutating func removed(_ index: Int) {
    if bytes.indices.contains(index) { totalBytes -= bytes[index] }
  }

  /// Why a directory stays that `next` has not given.
  public func reason(_ index: Int) -> Reason? {
    guard !isTaken[index] else { return nil }
    if let obstacle = obstacle(index) { return obstacle }
    guard let age = age(index) else { return .notProcessed }
    return age < .zero ? .future(by: .zero - age) : .young(age: age)
  }

  /// What forbids to remove it, however old it is.
  private func obstacle(_ index: Int) -> Reason? {
    let directory = directories[index]
    if directory.isRoot { return .root }
    if !directory.isProcessed { return .notProcessed }
    if directory.hasProgress { return .unfinished }
    return live[index].map { .live($0) }
  }

  private func age(_ index: Int) -> Duration? { directories[index].processedAt.map { now.since($0) } }
}
