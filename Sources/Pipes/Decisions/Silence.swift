import Model

/// How long nothing of a connection has moved. Does no I/O.
///
/// Bytes move when a socket takes them, and again when its peer takes them: an answer that lies whole in the kernel's
/// buffers is still being read. The kernel says only how much was not taken yet, so it is asked several times within the
/// limit: a silent connection is found at the limit or up to an eighth of it later, and never before. Whoever moves
/// bytes need not say when the next look is due: there is one within an eighth in any case.
struct Silence: Sendable, Equatable {
  /// Bytes that were handed over and that each peer has not taken: its kernel has not confirmed them, or, as far as
  /// that can be asked, its process has not read them.
  struct Untaken: Sendable, Hashable {
    var client: Int32 = 0
    var target: Int32 = 0
  }

  /// How often the kernel is asked within the limit, at most.
  private static let looks = 8

  /// The last moment at which something moved, as far as is known.
  private(set) var since: Instant

  private var untaken = Untaken()
  // Nil when bytes were handed over since.
  private var looked: Instant?

  /// A connection of which nothing is on its way.
  init(at now: Instant) {
    since = now
    looked = now
  }

  /// Bytes were handed over, or an end.
  mutating func moved(at now: Instant) {
    since = now
    looked = nil
  }

  /// Notes what the kernel says at `now`.
  mutating func look(_ found: Untaken, at now: Instant) {
    // What was handed over since the last look may have been taken until now.
    if looked == nil || found.client < untaken.client || found.target < untaken.target { since = now }
    untaken = found
    looked = now
  }

  /// Whether nothing has moved for `limit`.
  func isOver(_ limit: Duration, at now: Instant) -> Bool {
    looked != nil && now - since >= limit
  }

  /// Whether all was taken at the last look and nothing was handed over since: the kernel need not be asked.
  var isQuiet: Bool { looked != nil && untaken == Untaken() }

  /// When it is to be looked at next, under this limit. A move puts that off and never brings it forward.
  func nextLook(_ limit: Duration) -> Instant {
    guard let looked else { return since + limit / Self.looks }
    return min(since + limit, looked + limit / Self.looks)
  }
}
