import Model
import Synchronization
import SystemRuntime

extension Worker {
  /// Whether a direction may move bytes now. Beside connections that are quickly answered, one that moves much has to
  /// wait for its turn; a limit has its own queue.
  func mayMove(_ half: HalfConnection, _ connection: Connection) -> Bool {
    guard half.isBulk, !half.lane.isLimited, turns.areNeeded(at: now) else { return true }
    let identifier = ticket(of: half, connection).token
    if turns.begin(identifier, at: now) { return true }
    if !half.waitsForTurn {
      half.waitsForTurn = true
      turns.wait(identifier)
    }
    return false
  }

  /// A direction has moved `count` bytes, and `total` in this go.
  func noteTurn(of half: HalfConnection, _ connection: Connection, moved count: Int, total: Int) {
    if half.isBulk {
      turns.moved(count, by: ticket(of: half, connection).token, at: .now)
    } else if total >= BulkTurns.portion {
      half.isBulk = true
    } else if count > 0 {
      noteOthers()
    }
  }

  /// A connection has come, or moved little.
  func noteOthers() {
    turns.sawOthers(at: now)
    common.sawOthersAt.store(now.milliseconds, ordering: .relaxed)
  }

  /// The same, of another worker: all share the processors.
  func noteOthersOfColleagues() {
    let latest = common.sawOthersAt.load(ordering: .relaxed)
    if latest > 0 { turns.sawOthers(at: now - .milliseconds(now.milliseconds - latest)) }
  }

  /// Ends the turn of a direction that can move nothing before its receiver reads.
  func leaveTurn(_ half: HalfConnection, _ connection: Connection) {
    if half.isBulk { turns.leave(ticket(of: half, connection).token, at: .now) }
  }

  /// Gives those that wait their turns.
  func handOutTurns() {
    if let slow = turns.takeSlow(at: .now) { half(of: slow.identifier)?.half.isBulk = slow.isBulk }
    // Each pause begins when its turn has ended, and not with this pass.
    while let identifier = turns.next(at: .now) {
      guard let (half, connection) = half(of: identifier) else {
        turns.leave(identifier, at: .now)
        continue
      }
      half.waitsForTurn = false
      listen(to: half)
      move(connection)
    }
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
  fileprivate var milliseconds: Int64 {
    let (seconds, attoseconds) = sinceZero.components
    return seconds * 1000 + attoseconds / 1_000_000_000_000_000
  }
}
