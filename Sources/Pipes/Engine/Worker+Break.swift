import Model
import Netfilter
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
    let untaken = self.untaken.bytes(beyond: breaking.end.socket)
    connection.silence.look(Silence.Untaken(client: untaken), at: now)
    if breaking.end.socket.unacknowledged == 0
      || connection.silence.isOver(connection.configuration.finTimeout, at: now)
    {
      return cut(connection)
    }
    breaking.nextLook = now + breaking.pause
    breaking.pause = min(breaking.pause * 2, Self.longestPause)
    connection.breaking = breaking
    schedule(connection)
  }
}

/// Asks what peers have not taken of what was sent to them.
///
/// A kernel whose receive buffer is full confirms nothing, however much is read, until a segment and a sixteenth of the
/// buffer are free (`__tcp_select_window()` of net/ipv4/tcp_output.c). So a peer in this network namespace is asked what
/// its process has left unread. Of one elsewhere only what its kernel confirms is known.
struct UntakenBytes: ~Copyable {
  /// Opened when it is first needed. Where it cannot be, what is confirmed is known all the same.
  private var sockets: SocketLookup?

  /// How many bytes that were sent through `socket` its peer has not confirmed, or has confirmed and not read.
  mutating func bytes(beyond socket: borrowing TCPSocket) -> Int32 {
    Int32(clamping: socket.unacknowledged + unread(beyond: socket))
  }

  private mutating func unread(beyond socket: borrowing TCPSocket) -> Int {
    guard let local = socket.local, let remote = socket.remote else { return 0 }
    if sockets == nil { sockets = try? SocketLookup() }
    let peer = try? sockets?.socket(.tcp, local: remote, remote: local)
    return peer.map { Int($0.unread) } ?? 0
  }
}
