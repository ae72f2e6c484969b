import Model
import Synchronization
import SystemRuntime

extension Worker {
  /// Whether a direction may move bytes now. Beside connections that are quickly answered, one that moves much has to
  /// wait for its turn; a limit has its own queue.
  func mayMove(_ half: HalfConnection, _ connection: Connection) -> Bool {
    guard half.isBulk, !half.limiter.isLimited, turns.areNeeded(at: now) else { return true }
    let identifier = ticket(of: half, connection).token
    if turns.begin(identifier, at: .now) { return true }
    if !half.waitsForTurn {
      half.waitsForTurn = true
      turns.wait(identifier)
    }
    return false
  }

  /// A direction has moved `count` bytes, and `total` in this go.
  func noteTurn(of half: HalfConnection, _ connection: Connection, moved count: Int, total: Int) {
    if half.isBulk {
      let identifier = ticket(of: half, connection).token
      if turns.hasTurn(identifier) { turns.moved(count, by: identifier, at: .now) }
    } else if total >= BulkTurns.portion {
      half.isBulk = true
    } else if count > 0 {
      noteOthers()
    }
  }

  /// A connection has come, or moved little.
  func noteOthers() {
    turns.sawOthers(at: now)
    // What all processors read is written no more often than once a millisecond.
    let seen = now.microseconds
    if common.sawOthersAt.load(ordering: .relaxed) < seen - 1000 {
      common.sawOthersAt.store(seen, ordering: .relaxed)
    }
  }

  /// Takes over what other workers saw and until when they rest: all share the processors.
  func noteColleagues() {
    turns.sawOthers(at: Instant(microseconds: common.sawOthersAt.load(ordering: .relaxed)))
    shareRests()
  }

  /// Rests as long as any worker does.
  private func shareRests() {
    let (mine, others) = (turns.restsUntil.microseconds, common.restsUntil.load(ordering: .relaxed))
    if mine > others {
      common.restsUntil.max(mine, ordering: .relaxed)
    } else if others > mine {
      turns.rest(until: Instant(microseconds: others))
    }
  }

  /// Ends the turn of a direction that can move nothing before its receiver reads.
  func leaveTurn(_ half: HalfConnection, _ connection: Connection) {
    guard half.isBulk else { return }
    let identifier = ticket(of: half, connection).token
    if turns.hasTurn(identifier) { turns.leave(identifier, at: .now) }
  }

  /// Gives those that wait their turns.
  func handOutTurns() {
    // By the moment of the last poll: what has come since then is not known.
    if let slow = turns.takeSlow(at: now) { half(of: slow.identifier)?.half.isBulk = slow.isBulk }
    while let identifier = nextTurn() {
      guard let (half, connection) = half(of: identifier) else {
        turns.leave(identifier, at: .now)
        continue
      }
      half.waitsForTurn = false
      listen(to: half, for: .readable)
      move(connection)
    }
  }

  /// At the present moment, since each turn of a pass takes some time. All else that is moved goes by the same.
  private func nextTurn() -> BulkTurns.Identifier? {
    guard turns.hasWaiting else { return nil }
    shareRests()
    now = .now
    return turns.next(at: now)
  }

  private func half(of identifier: BulkTurns.Identifier) -> (half: HalfConnection, connection: Connection)? {
    let token = Token(identifier)
    guard let connection = connection(token), case .open(let received, let sent) = connection.phase else {
      return nil
    }
    return (token.kind == .client ? received : sent, connection)
  }
}

extension Instant {
  /// As workers tell each other of it.
  fileprivate var microseconds: Int64 {
    let (seconds, attoseconds) = sinceZero.components
    return seconds * 1_000_000 + attoseconds / 1_000_000_000_000
  }

  fileprivate init(microseconds: Int64) { self.init(sinceZero: .microseconds(microseconds)) }
}
