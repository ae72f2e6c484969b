import Model

/// Which direction of a worker's connections may move much at this moment: one after the other while there are
/// others that move little. Does no I/O.
///
/// A worker that drains all fast senders wakens them all. Then it waits for a processor behind them, and so does
/// whoever connects. Those that wait for their turn sleep, because the kernel's buffers for them are full.
///
/// Where there are few processors there are pauses in which no worker gives a turn: one sender and its receiver keep
/// two. A pause is long enough for all that were wakened to finish. After shorter ones, or those of one worker, some
/// are always left, and who connects waits behind them.
///
/// It is not copyable, because a worker that asks it for something would copy it with its queue each time.
struct BulkTurns: Sendable, ~Copyable {
  /// A direction, by the raw token of its source.
  typealias Identifier = UInt64

  /// What a direction moves in one go, in bytes, before its sender counts as one that outruns us. While others wait
  /// for their turn nothing moves more in one go.
  static let portion = 1 << 20
  /// What a direction moves before others have their turn, in bytes.
  static let size = 8 << 20
  /// How long the others wait for one that has nothing to move.
  static let patience = Duration.milliseconds(10)
  /// How long turns are needed after something little was moved.
  static let memory = Duration.milliseconds(100)

  /// The pause after turns, for others to have the processors: so much of the time in which they moved bytes. Short
  /// ones are added up.
  static let rest = (share: 0.5, shortest: Duration.milliseconds(4), longest: Duration.milliseconds(20))

  /// A direction that has its turn.
  private struct Holder {
    let identifier: Identifier
    var left = BulkTurns.size
    let began: Instant
    var lastMoved: Instant
    /// Whether it has moved enough to count as bulk, in this turn or one right before it.
    var isBulk = false

    init(_ identifier: Identifier, at now: Instant) {
      self.identifier = identifier
      (began, lastMoved) = (now, now)
    }
  }

  private var holder: Holder?
  private let rests: Bool
  /// Until when nobody has a turn: the clock's zero where nobody has rested yet.
  private(set) var restsUntil = Instant(sinceZero: .zero)
  /// The pause that turns since the last one have made necessary.
  private var unrested = Duration.zero
  private var sawOthersAt: Instant?
  // Served from `head` on; those that have gone meanwhile are found by who is given their turn.
  private var queue: [Identifier] = []
  private var head = 0

  /// With `rests` there are pauses between turns: for where bulk can take all processors.
  init(rests: Bool) { self.rests = rests }

  /// Whether somebody waits for a turn.
  var hasWaiting: Bool { head < queue.count }

  /// Whether it is the turn of `identifier`.
  func hasTurn(_ identifier: Identifier) -> Bool { holder?.identifier == identifier }

  /// Whether there are others than those that move much.
  func areNeeded(at now: Instant) -> Bool {
    sawOthersAt.map { now - $0 < Self.memory } ?? false
  }

  /// A connection has come, or moved little, here or at another worker.
  mutating func sawOthers(at time: Instant) { sawOthersAt = sawOthersAt.map { max($0, time) } ?? time }

  /// Gives `identifier` a turn if one is free; false when it has to wait in the queue.
  mutating func begin(_ identifier: Identifier, at now: Instant) -> Bool {
    if holder?.identifier == identifier { return true }
    guard holder == nil, !hasWaiting, !isResting(at: now) else { return false }
    holder = Holder(identifier, at: now)
    return true
  }

  /// Puts `identifier`, which is not in the queue, at its end.
  mutating func wait(_ identifier: Identifier) { queue.append(identifier) }

  /// `identifier` moved `bytes`. Its turn ends when it has moved enough and others wait, or rest.
  mutating func moved(_ bytes: Int, by identifier: Identifier, at now: Instant) {
    guard holder?.identifier == identifier else { return }
    holder?.left -= bytes
    holder?.lastMoved = now
    if let left = holder?.left, Self.size - left >= Self.portion { holder?.isBulk = true }
    guard let over = holder, over.left <= 0 else { return }
    if hasWaiting || isResting(at: now) { return end(over, at: now) }
    holder = Holder(identifier, at: now)
    holder?.isBulk = true
  }

  /// `identifier` can move nothing for now, or has gone: its turn ends.
  mutating func leave(_ identifier: Identifier, at now: Instant) {
    if let over = holder, over.identifier == identifier { end(over, at: now) }
  }

  private mutating func end(_ over: Holder, at now: Instant) {
    holder = nil
    guard rests, hasWaiting else { return }
    unrested += (over.lastMoved - over.began) * Self.rest.share
    guard unrested >= Self.rest.shortest else { return }
    rest(until: now + min(unrested, Self.rest.longest))
    unrested = .zero
  }

  /// Gives nobody a turn before `end`. With a moment that is known already, or earlier, nothing changes.
  mutating func rest(until end: Instant) {
    guard end > restsUntil else { return }
    restsUntil = end
    unrested = .zero
  }

  private func isResting(at now: Instant) -> Bool { now < restsUntil }

  /// Ends the turn of a holder that has had nothing to move for `patience`. Returns it, and whether it still counts as
  /// bulk: it does where it moved much before, because then its sender may only wait for a processor.
  mutating func takeSlow(at now: Instant) -> (identifier: Identifier, isBulk: Bool)? {
    guard hasWaiting, let slow = holder, now - slow.lastMoved >= Self.patience else { return nil }
    end(slow, at: now)
    return (slow.identifier, slow.isBulk)
  }

  /// The next of the queue, which has its turn now; nil while another has it or nobody, as long as turns are needed.
  mutating func next(at now: Instant) -> Identifier? {
    guard hasWaiting, holder == nil && !isResting(at: now) || !areNeeded(at: now) else { return nil }
    let identifier = queue[head]
    head += 1
    if head == queue.count || head > 1024 && head * 2 > queue.count {
      queue.removeSubrange(..<head)
      head = 0
    }
    holder = Holder(identifier, at: now)
    return identifier
  }

  /// When it must be looked whether a turn has ended.
  var nextLook: Instant? {
    guard hasWaiting else { return nil }
    return holder.map { $0.lastMoved + Self.patience } ?? restsUntil
  }
}
