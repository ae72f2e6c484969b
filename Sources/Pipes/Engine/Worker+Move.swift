import Model
import SystemRuntime
import SystemPackage

extension Worker {
  private enum Verdict {
    /// Nothing more can be done now.
    case idle
    /// There is more, but it is others' turn.
    case more
  }

  /// The target is connected: from here on bytes flow.
  func connected(_ connection: Connection, _ index: Int, _ dialing: Dialing) {
    let (pipe, configuration) = (connection.pipe, connection.configuration)
    guard let target = dialing.attempts[index] else { return }
    connection.targetIndex = index
    for (other, attempt) in dialing.attempts.enumerated() where other != index {
      // It may be connected by now: nobody will speak there.
      attempt?.socket.resetOnClose()
    }
    connection.silence = Silence(at: now)
    if index > 0 { pipe.target.prefer(dialing.endpoints[index]) }
    let early = connection.early
    let received = HalfConnection(
      from: connection.client, connection.token, to: target, limiter: pipe.received,
      relay: Relay(mayRead: early.contains(.readable), endIsNear: early.contains(.peerFinished)),
      choice: TransferChoice(configuration.splice))
    let sent = HalfConnection(
      from: target, connection.token.with(.attempt(index)), to: connection.client, limiter: pipe.sent,
      relay: Relay(
        mayRead: dialing.early.contains(.readable), endIsNear: dialing.early.contains(.peerFinished)),
      choice: TransferChoice(configuration.splice))
    if early.contains(.urgent) { expectMark(received) }
    if dialing.early.contains(.urgent) { expectMark(sent) }
    connection.phase = .open(received: received, sent: sent)
    connection.paths.client = pipe.paths.counters(of: connection.client.socket.local?.address)
    connection.paths.target = pipe.paths.counters(of: target.socket.local?.address)
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
      if target.socket.send(header, 0..<header.count) != .moved(header.count) {
        fail(connection, target, target.socket.takeError())
      }
      connection.silence.moved(at: now)
    }
    // The client had failed before.
    if let failure = connection.failure { fail(connection, failure.end, failure.error) }
    move(connection)
    schedule(connection)
  }

  /// Something happened to the client.
  func clientChanged(_ connection: Connection, _ readiness: Readiness) {
    switch connection.phase {
    case .open(let received, let sent):
      changed(connection, connection.client, readiness, source: received, sink: sent)
    case .header, .resolving, .dialing:
      clientChangedEarly(connection, readiness)
    }
  }

  /// Goes on with an open connection: something happened to `end`, the source of one direction and the sink of the
  /// other.
  func changed(
    _ connection: Connection, _ end: StreamEnd, _ readiness: Readiness, source: HalfConnection,
    sink: HalfConnection
  ) {
    if let breaking = connection.breaking {
      // Who has failed can do so again; who is to learn of it is gone then.
      if breaking.end === end && readiness.contains(.failed) { cut(connection) }
      return
    }
    if readiness.contains(.failed) {
      fail(connection, end, end.socket.takeError())
    } else {
      note(readiness, source: source, sink: sink)
    }
    move(connection)
  }

  private func note(_ readiness: Readiness, source: HalfConnection, sink: HalfConnection) {
    if readiness.contains(.urgent) { expectMark(source) }
    if !readiness.isDisjoint(with: [.readable, .peerFinished, .hungUp]) {
      if source.relay.isHeldUp || source.waitsForTurn { noteUseless(.readable, of: source) }
      source.relay.becameReadable(endIsNear: !readiness.isDisjoint(with: [.peerFinished, .hungUp]))
    } else if readiness == .writable && sink.relay.mayWrite {
      noteUseless(.writable, of: source)
    }
    guard readiness.contains(.writable) else { return }
    sink.relay.becameWritable()
    listen(to: sink, for: .readable)
  }

  /// Counts an event that changed nothing. After a few of one kind the poller does not report that kind any more.
  ///
  /// There are two kinds. Each packet of a fast sender is an event, also while its receiver is full or it is not its
  /// turn. And a packet that was read before the poller looked is an event that says only that its socket is writable.
  private func noteUseless(_ change: Readiness, of half: HalfConnection) {
    let before = half.interest
    guard half.interest.sawUseless(change) else { return }
    do throws(Errno) {
      try poller.report(half.source.socket, half.interest.changes, token: half.sourceToken.raw)
    } catch { half.interest = before }
  }

  /// Waits for a change of the source of `half`, whether it was listened to or not.
  func listen(to half: HalfConnection, for change: Readiness) {
    guard half.interest.needs(change) else { return }
    // It was added before: there is nothing that could fail.
    try? poller.report(half.source.socket, half.interest.changes, token: half.sourceToken.raw)
  }

  /// Urgent data goes through in its place, as ordinary bytes.
  private func expectMark(_ half: HalfConnection) {
    half.source.socket.keepUrgentInline()
    half.relay.foundMark()
  }

  /// Moves what can be moved, both ways.
  func move(_ connection: Connection) {
    guard case .open(let received, let sent) = connection.phase, connection.breaking == nil else { return }
    let hadFailed = connection.failure != nil
    let hasMoreReceived = run(received, connection, isLast: sent.relay.isFinished) == .more
    count(received, connection)
    let hasMoreSent = run(sent, connection, isLast: received.relay.isFinished) == .more
    count(sent, connection)
    if connection.hasNobodyLeft { return cut(connection) }
    // What the first direction could not know.
    if connection.failure != nil && !hadFailed { return move(connection) }
    if received.relay.isOver && sent.relay.isOver {
      return connection.failure == nil ? close(connection) : breakOff(connection)
    }
    if received.relay.isFinished || sent.relay.isFinished { schedule(connection) }
    // The receiver of one direction is the source of the other. From here on its room is waited for.
    if !received.relay.mayWrite { listen(to: sent, for: .writable) }
    if !sent.relay.mayWrite { listen(to: received, for: .writable) }
    if (hasMoreReceived || hasMoreSent) && !connection.isQueued {
      connection.isQueued = true
      queue.append(connection.token)
    }
  }

  /// Moves what can be moved one way. With `isLast` the other direction has finished.
  private func run(_ half: HalfConnection, _ connection: Connection, isLast: Bool) -> Verdict {
    let share = turns.areNeeded(at: now) ? BulkTurns.portion : BulkTurns.size
    var left = share
    while true {
      switch half.relay.next {
      case .wait, .done, .breakOff:
        if !half.relay.mayWrite { leaveTurn(half, connection) }
        giveBackUnused(half)
        return .idle
      case .finish:
        // Who sees the end may ask for the counters at once.
        count(half, connection)
        // The close that follows the last end says it as well.
        if !isLast { half.sink.socket.finishSending() }
        half.relay.finished()
        connection.silence.moved(at: now)
      case .drain: if let error = drain(half) { fail(connection, half.sink, error) }
      case .fill:
        guard left > 0 else { return .more }
        if half.relay.senderHasFailed && half.limiter.isLimited && half.grant == 0 {
          // Under a limit those that have gone wait in no queue before those that are there.
          half.relay.foundEnd()
          continue
        }
        guard let limit = allowance(half, connection), mayMove(half, connection) else {
          giveBackUnused(half)
          return .idle
        }
        let before = left
        fill(half, connection, atMost: limit, taken: &left)
        noteTurn(of: half, connection, moved: before - left, total: share - left)
      }
    }
  }

  /// Takes from the source, and delivers at once what was copied.
  private func fill(
    _ half: HalfConnection, _ connection: Connection, atMost limit: Int, taken left: inout Int
  ) {
    if half.choice.splices && !half.relay.hasMark {
      if half.pipe == nil { half.pipe = pool.take() }
      guard let pooled = half.pipe else {
        half.choice.foundNoPipe()
        return fill(half, connection, atMost: limit, taken: &left)
      }
      let asked = min(limit, pooled.pipe.capacity)
      let transfer = pooled.pipe.fill(from: half.source.socket, atMost: asked)
      return note(transfer, half, connection, asked: asked, copied: false, &left)
    }
    release(half)
    let asked = min(limit, scratch.count)
    let transfer = half.source.socket.receive(into: &scratch, atMost: asked)
    note(transfer, half, connection, asked: asked, copied: true, &left)
    guard case .moved(let count) = transfer else { return }
    var start = 0
    switch half.sink.socket.send(scratch, 0..<count) {
    case .moved(let sent):
      start = sent
      delivered(sent, half, isCopied: true)
    case .wouldBlock, .ended: break
    case .failed(let error): return fail(connection, half.sink, error)
    }
    guard start < count else { return }
    half.leftover = Array(scratch[start..<count])
    half.leftoverStart = 0
    half.relay.foundReceiverFull()
  }

  private func note(
    _ transfer: Transfer, _ half: HalfConnection, _ connection: Connection, asked: Int, copied: Bool,
    _ left: inout Int
  ) {
    switch transfer {
    case .moved(let count):
      half.relay.took(count, isAll: copied && count < asked)
      half.choice.note(count, of: asked)
      half.grant = max(0, half.grant - count)
      left -= count
    case .wouldBlock where half.relay.senderHasFailed: half.relay.foundEnd()
    case .wouldBlock: half.relay.foundNothing()
    case .ended: half.relay.foundEnd()
    case .failed(let error):
      fail(connection, half.source, error)
      half.relay.foundEnd()
    }
  }

  /// Delivers what was taken before.
  private func drain(_ half: HalfConnection) -> Errno? {
    let transfer: Transfer
    if let pooled = half.pipe {
      transfer = pooled.pipe.drain(to: half.sink.socket, atMost: half.relay.pending)
    } else {
      transfer = half.sink.socket.send(half.leftover, half.leftoverStart..<half.leftover.count)
    }
    switch transfer {
    case .moved(let count):
      half.leftoverStart += half.pipe == nil ? count : 0
      delivered(count, half, isCopied: half.pipe == nil)
      if half.relay.pending == 0 { half.leftover = [] }
    case .wouldBlock: half.relay.foundReceiverFull()
    case .ended: return .brokenPipe
    case .failed(let error): return error
    }
    return nil
  }

  private func delivered(_ count: Int, _ half: HalfConnection, isCopied: Bool) {
    half.relay.delivered(count, isCopied: isCopied)
    half.uncounted += count
  }

  /// Counts what a direction has delivered in one go. Counters that other threads read cost more than all else here.
  private func count(_ half: HalfConnection, _ connection: Connection) {
    guard half.uncounted > 0 else { return }
    let (bytes, direction) = (half.uncounted, half.limiter.direction)
    half.uncounted = 0
    connection.silence.moved(at: now)
    connection.pipe.counters.add(bytes, direction)
    connection.account?.counters.add(bytes, direction)
    connection.paths.client?.add(bytes, direction)
    connection.paths.target?.add(bytes, direction.reversed)
  }

  /// Leaves to others what this direction has no use for now.
  private func giveBackUnused(_ half: HalfConnection) {
    guard half.relay.pending == 0 else { return }
    release(half)
    if half.grant > 0 {
      half.limiter.giveBack(half.grant)
      half.grant = 0
    }
  }

  /// Takes its pipe from a direction, with what is in it.
  func release(_ half: HalfConnection) {
    guard let pipe = half.pipe else { return }
    pool.giveBack(pipe, isEmpty: half.relay.pending == 0)
    half.pipe = nil
  }
}
