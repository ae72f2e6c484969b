import Model
import Netfilter
import SystemRuntime

/// What is known of a peer's receive queue.
struct PeerQueue: Sendable {
  /// Whether no socket of this network namespace has the peer's addresses. It is not asked for again: a peer that is
  /// here has one from the handshake on.
  var isElsewhere = false
  /// Bytes in it that its process has not read, as was last known.
  var unread = 0
}

/// Asks what peers have not taken of what was sent to them.
///
/// A kernel with a full receive buffer keeps its window closed at first when its process reads. It opens the window when
/// a sixteenth of the buffer, and at least a segment, is free (`__tcp_select_window()` of net/ipv4/tcp_output.c). Until
/// then it acknowledges nothing new. So for a peer in this network namespace its receive queue is looked at. For a peer
/// elsewhere only acknowledgements are known.
struct UntakenBytes: ~Copyable {
  /// Opened when it is first needed.
  private var sockets: SocketLookup?

  /// How many bytes that were sent through `socket` its peer has not confirmed, or has confirmed and not read.
  mutating func bytes(beyond socket: borrowing TCPSocket, _ queue: inout PeerQueue) -> Int32 {
    if !queue.isElsewhere { ask(socket, &queue) }
    return Int32(clamping: socket.unacknowledged + queue.unread)
  }

  private mutating func ask(_ socket: borrowing TCPSocket, _ queue: inout PeerQueue) {
    guard let local = socket.local, let remote = socket.remote else { return }
    do throws(KernelError) {
      if sockets == nil { sockets = try SocketLookup() }
      let peer = try sockets?.socket(.tcp, local: remote, remote: local)
      queue = PeerQueue(isElsewhere: peer == nil, unread: peer.map { Int($0.unread) } ?? 0)
    } catch {
      // Without memory or descriptors. What was last known stays: less would look as if bytes had been read.
    }
  }
}

extension Worker {
  /// What the peers of an open connection have not taken. Of an end that has failed nothing is asked.
  func untaken(_ connection: Connection) -> Silence.Untaken {
    var untaken = Silence.Untaken()
    guard case .open(let received, _) = connection.phase else { return untaken }
    if connection.failure?.end !== connection.client {
      untaken.client = untakenBytes.bytes(beyond: connection.client.socket, &connection.queues.client)
    }
    if connection.failure?.end !== received.sink {
      untaken.target = untakenBytes.bytes(beyond: received.sink.socket, &connection.queues.target)
    }
    return untaken
  }
}
