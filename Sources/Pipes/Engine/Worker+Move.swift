import Kernel
import Model
import SystemPackage

extension Worker {
  /// How much a direction of a connection moves before others have their turn, in bytes.
  private static let turn = 8 << 20

  /// How many useless events are answered before the poller is told not to listen.
  private static let patience = 2

  private enum Verdict {
    /// Nothing more can be done now.
    case idle
    /// There is more, but it is others' turn.
    case more
    /// This end has failed.
    case broken(StreamEnd, Errno)
  }

  /// The target is connected: from here on bytes flow.
  func connected(_ connection: Connection, _ index: Int, _ endpoint: Endpoint) {
    let (pipe, configuration) = (connection.pipe, connection.configuration)
    guard let target = connection.attempts[index] else { return }
    connection.attempts = []
    connection.targetIndex = index
    connection.lastActive = now
    if index > 0 { pipe.target.prefer(endpoint) }
    let early = connection.early
    let received = HalfConnection(
      from: connection.client, connection.token, to: target, lane: pipe.received,
      relay: Relay(mayRead: early.contains(.readable), endIsNear: early.contains(.peerFinished)),
      choice: TransferChoice(configuration.splice))
    let sent = HalfConnection(
      from: target, connection.token.with(.attempt(index)), to: connection.client, lane: pipe.sent,
      relay: Relay(
        mayRead: connection.targetEarly.contains(.readable),
        endIsNear: connection.targetEarly.contains(.peerFinished)),
      choice: TransferChoice(configuration.splice))
    connection.phase = .open(received: received, sent: sent)
    if let clients = pipe.clients {
      // Only a client of this host has a process here; a PROXY header speaks of somebody else's.
      let local = connection.destination == nil ? connection.client.socket.local : nil
      let ours = local.flatMap { $0.address == connection.source.address || $0.address.isLoopback ? $0 : nil }
      connection.account = clients.open(connection.source, destination: ours)
    }
    if let version = configuration.sendsProxy {
      let destination = connection.destination ?? connection.client.socket.local
      let header = ProxyHeader(ends: destination.map { .init(source: connection.source, destination: $0) })
        .encoded(version)
      // A socket that was just connected takes this much at once.
      guard target.socket.send(header, 0..<header.count) == .moved(header.count) else {
        return broken(connection, target, target.socket.takeError())
      }
    }
    move(connection)
    schedule(connection)
  }

  /// Something happened to the client.
  func clientChanged(_ connection: Connection, _ readiness: Readiness) {
    switch connection.phase {
    case .open(let received, let sent):
      if readiness.contains(.failed) {
        return broken(connection, connection.client, connection.client.socket.takeError())
      }
      changed(readiness, source: received, sink: sent)
      move(connection)
    case .header, .resolving, .dialing:
      // Gone before anything was connected.
      if !readiness.isDisjoint(with: [.failed, .hungUp]) { return close(connection) }
      connection.early.formUnion(readiness.intersection([.readable, .peerFinished]))
      if case .header = connection.phase { readHeader(connection) }
    }
  }

  /// Notes what a socket became ready for, which is `received`'s source and `sent`'s sink or the other way round.
  func changed(_ readiness: Readiness, source: HalfConnection, sink: HalfConnection) {
    if !readiness.isDisjoint(with: [.readable, .peerFinished, .hungUp]) {
      if source.relay.isHeldUp { mute(source) }
      source.relay.becameReadable(endIsNear: !readiness.isDisjoint(with: [.peerFinished, .hungUp]))
    }
    guard readiness.contains(.writable) else { return }
    sink.relay.becameWritable()
    sink.uselessEvents = 0
    guard sink.isMuted else { return }
    sink.isMuted = false
    // It was added before: there is nothing that could fail.
    try? poller.report(sink.source.socket, whenReadable: true, token: sink.sourceToken.raw)
  }

  /// A fast sender wakes us with each packet although its receiver is full: after a few such events it is not
  /// listened to until the receiver has room.
  private func mute(_ half: HalfConnection) {
    half.uselessEvents += 1
    guard half.uselessEvents == Self.patience else { return }
    do throws(Errno) {
      try poller.report(half.source.socket, whenReadable: false, token: half.sourceToken.raw)
      half.isMuted = true
    } catch { half.uselessEvents = 0 }
  }

  /// Moves what can be moved, both ways.
  func move(_ connection: Connection) {
    guard case .open(let received, let sent) = connection.phase else { return }
    var hasMore = false
    for (half, other) in [(received, sent), (sent, received)] {
      switch run(half, connection, isLast: other.relay.isFinished) {
      case .idle: break
      case .more: hasMore = true
      case .broken(let end, let error): return broken(connection, end, error)
      }
    }
    if received.relay.isFinished && sent.relay.isFinished { return close(connection) }
    if received.relay.isFinished || sent.relay.isFinished { schedule(connection) }
    if hasMore && !connection.isQueued {
      connection.isQueued = true
      queue.append(connection.token)
    }
  }

  /// One end has failed: the other learns it by a reset, as it would without us between them.
  func broken(_ connection: Connection, _ end: StreamEnd, _ error: Errno?) {
    if end !== connection.client {
      let why = error.map { "\($0)" } ?? "connection reset"
      connection.pipe.warn(
        "target_failed",
        "the target broke the connection of \(connection.source): \(why). The client was told by a reset.")
    }
    cut(connection)
  }

  /// Moves what can be moved one way. With `isLast` the other direction has finished.
  private func run(_ half: HalfConnection, _ connection: Connection, isLast: Bool) -> Verdict {
    var left = Self.turn
    while true {
      switch half.relay.next {
      case .wait, .done:
        rest(half)
        return .idle
      case .finish:
        // The close that follows the last end says it as well.
        if !isLast { half.sink.socket.finishSending() }
        half.relay.finished()
      case .drain: if let error = drain(half, connection) { return .broken(half.sink, error) }
      case .fill:
        guard left > 0 else { return .more }
        guard let limit = allowance(half, connection) else {
          rest(half)
          return .idle
        }
        if let verdict = fill(half, connection, atMost: limit, taken: &left) { return verdict }
      }
    }
  }

  /// Takes from the source, and delivers at once what was copied.
  private func fill(
    _ half: HalfConnection, _ connection: Connection, atMost limit: Int, taken left: inout Int
  ) -> Verdict? {
    if half.choice.splices {
      if half.pipe == nil { half.pipe = pool.take() }
      guard let pooled = half.pipe else {
        half.choice.foundNoPipe()
        return fill(half, connection, atMost: limit, taken: &left)
      }
      let asked = min(limit, pooled.pipe.capacity)
      return note(
        pooled.pipe.fill(from: half.source.socket, atMost: asked), half, asked: asked, copied: false, &left)
    }
    release(half)
    let asked = min(limit, scratch.count)
    let transfer = half.source.socket.receive(into: &scratch, atMost: asked)
    if let verdict = note(transfer, half, asked: asked, copied: true, &left) { return verdict }
    guard case .moved(let count) = transfer else { return nil }
    var start = 0
    switch half.sink.socket.send(scratch, 0..<count) {
    case .moved(let sent):
      start = sent
      deliver(sent, half, connection)
    case .wouldBlock, .ended: break
    case .failed(let error): return .broken(half.sink, error)
    }
    guard start < count else { return nil }
    half.leftover = Array(scratch[start..<count])
    half.leftoverStart = 0
    half.relay.foundReceiverFull()
    return nil
  }

  private func note(
    _ transfer: Transfer, _ half: HalfConnection, asked: Int, copied: Bool, _ left: inout Int
  ) -> Verdict? {
    switch transfer {
    case .moved(let count):
      half.relay.took(count, isAll: copied && count < asked)
      half.choice.note(count, of: asked)
      half.grant = max(0, half.grant - count)
      left -= count
    case .wouldBlock: half.relay.foundNothing()
    case .ended: half.relay.foundEnd()
    case .failed(let error): return .broken(half.source, error)
    }
    return nil
  }

  /// Delivers what was taken before.
  private func drain(_ half: HalfConnection, _ connection: Connection) -> Errno? {
    let transfer: Transfer
    if let pooled = half.pipe {
      transfer = pooled.pipe.drain(to: half.sink.socket, atMost: half.relay.pending)
    } else {
      transfer = half.sink.socket.send(half.leftover, half.leftoverStart..<half.leftover.count)
    }
    switch transfer {
    case .moved(let count):
      half.leftoverStart += half.pipe == nil ? count : 0
      deliver(count, half, connection)
      if half.relay.pending == 0 { half.leftover = [] }
    case .wouldBlock: half.relay.foundReceiverFull()
    case .ended: return .brokenPipe
    case .failed(let error): return error
    }
    return nil
  }

  private func deliver(_ count: Int, _ half: HalfConnection, _ connection: Connection) {
    half.relay.delivered(count)
    connection.lastActive = now
    connection.pipe.tally.add(count, half.lane.direction)
    connection.account?.tally.add(count, half.lane.direction)
  }

  /// Leaves to others what this direction has no use for now.
  private func rest(_ half: HalfConnection) {
    guard half.relay.pending == 0 else { return }
    release(half)
    if half.grant > 0 {
      half.lane.giveBack(half.grant)
      half.grant = 0
    }
  }

  private func release(_ half: HalfConnection) {
    guard let pipe = half.pipe else { return }
    pool.giveBack(pipe, isEmpty: half.relay.pending == 0)
    half.pipe = nil
  }
}
