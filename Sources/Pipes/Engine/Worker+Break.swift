import Model
import SystemRuntime
import SystemPackage

/// One end has failed: the other gets what was sent before and then learns it by a reset, as it would without us
/// between them.
extension Worker {
  /// How often it is looked whether the peer has everything, at the rarest.
  private static let longestPause = Duration.milliseconds(250)

  /// Notes that `end` has failed: nothing more can be delivered to it, and nothing comes after what it has sent.
  func fail(_ connection: Connection, _ end: StreamEnd, _ error: Errno?) {
    if let first = connection.failure {
      // The kernel never says of a socket that was reset that its peer has everything.
      if first.end !== end { connection.hasNobodyLeft = true }
    } else {
      connection.failure = (end, error)
    }
    guard case .open(let received, let sent) = connection.phase else { return }
    for half in [received, sent] {
      if half.source === end {
        half.relay.senderFailed()
      } else {
        release(half)
        half.leftover = []
        half.relay.receiverFailed()
      }
    }
  }

  /// All that came before the failure was handed over: the end that is left gets a reset once its peer has it.
  func breakOff(_ connection: Connection) {
    guard let (failed, error) = connection.failure, case .open(let received, _) = connection.phase else {
      return
    }
    if failed !== connection.client {
      let why = error.map { "\($0)" } ?? "connection reset"
      connection.pipe.warn(
        "target_failed",
        "the target broke the connection of \(connection.source): \(why). The client got a reset.")
    }
    let survivor = failed === connection.client ? received.sink : connection.client
    connection.breaking = Connection.Breaking(end: survivor, nextLook: now)
    connection.silence.moved(at: now)
    lookAtBreak(connection)
  }

  /// Resets the connection if its peer has everything, or has taken nothing for the time limit; else looks again
  /// later.
  func lookAtBreak(_ connection: Connection) {
    guard var breaking = connection.breaking else { return }
    if breaking.end.socket.unacknowledged == 0 { return cut(connection) }
    let limit = connection.configuration.finTimeout
    if now >= connection.silence.nextLook(limit) {
      connection.silence.look(untaken(connection), at: now)
      if connection.silence.isOver(limit, at: now) { return cut(connection) }
    }
    breaking.nextLook = min(now + breaking.pause, connection.silence.nextLook(limit))
    breaking.pause = min(breaking.pause * 2, Self.longestPause)
    connection.breaking = breaking
    schedule(connection)
  }
}
