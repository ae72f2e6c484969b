import Model
import SystemRuntime
import SystemPackage

extension Worker {
  /// Reads the PROXY header that must come first.
  func readHeader(_ connection: Connection) {
    var bytes = [UInt8](repeating: 0, count: ProxyHeader.longest)
    switch connection.client.socket.receive(into: &bytes, atMost: bytes.count, peeks: true) {
    case .wouldBlock: return
    case .ended: return cut(connection)
    case .failed: return cut(connection)
    case .moved(let count):
      switch ProxyHeader.decode(bytes[..<count]) {
      case .incomplete:
        if connection.failure != nil { return cut(connection) }
        if connection.early.contains(.peerFinished) { malformed(connection, "it ends too early") }
      case .malformed(let why): malformed(connection, why)
      case .complete(let header, let length):
        // Exactly the header; what follows is the client's.
        _ = connection.client.socket.receive(into: &bytes, atMost: length)
        if let ends = header.ends {
          connection.source = ends.source
          connection.destination = ends.destination
        }
        connection.phase = .resolving
        if isGone(connection) { cut(connection) } else { identified(connection) }
      }
    }
  }

  /// Notes what happened to a client whose target is not connected yet.
  func clientChangedEarly(_ connection: Connection, _ readiness: Readiness) {
    connection.early.formUnion(readiness.intersection([.readable, .peerFinished, .urgent]))
    if !readiness.isDisjoint(with: [.failed, .hungUp]), connection.failure == nil {
      connection.failure = (connection.client, connection.client.socket.takeError())
    }
    if case .header = connection.phase { return readHeader(connection) }
    if isGone(connection) { cut(connection) }
  }

  /// Whether the client has failed and left nothing. What it had sent before goes to the target, with a reset behind
  /// it: so it would arrive without us between them.
  private func isGone(_ connection: Connection) -> Bool {
    guard connection.failure != nil else { return false }
    if case .moved = connection.client.socket.receive(into: &scratch, atMost: 1, peeks: true) { return false }
    return true
  }

  private func malformed(_ connection: Connection, _ why: String) {
    connection.pipe.warn(
      "malformed_header",
      "\(connection.source) sent no good PROXY header: \(why). It was closed; --accept-proxy is for "
        + "clients that send one.")
    cut(connection)
  }

  /// Goes on with a client that is known: to the target.
  func identified(_ connection: Connection) {
    switch connection.pipe.target.addresses(at: now) {
    case .ready(let endpoints): dial(connection, endpoints)
    case .failed(let why): unresolvable(connection, why)
    case .pending:
      resolving.append(connection.token)
      schedule(connection)
    }
  }

  /// The addresses of a pipe's target are known, or that there are none.
  func resolved(_ pipe: Pipe) {
    warnOfTarget(pipe)
    let waiting = resolving
    resolving.removeAll(keepingCapacity: true)
    for token in waiting {
      guard let connection = connection(token) else { continue }
      if connection.pipe === pipe { identified(connection) } else { resolving.append(token) }
    }
  }

  private func unresolvable(_ connection: Connection, _ why: String) {
    connection.pipe.noteFailed()
    warnOfName(of: connection.pipe, why, "The client was refused")
    cut(connection)
  }

  private func dial(_ connection: Connection, _ endpoints: [ZonedEndpoint]) {
    let dialing = Dialing(endpoints, at: now)
    connection.phase = .dialing(dialing)
    carryOut(dialing.dial.advance(to: now), connection, dialing)
  }

  private func carryOut(_ first: Dial.Action, _ connection: Connection, _ dialing: Dialing) {
    var action = first
    while true {
      switch action {
      case .wait: return schedule(connection)
      case .use(let index): return connected(connection, index, dialing)
      case .giveUp(let error) where error.isShortage: return shortOfMeans(connection, error)
      case .giveUp(let error): return unreachable(connection, "unreachable", dialing, "\(error)")
      case .start(let index):
        do throws(Errno) {
          try attempt(connection, index, dialing)
          action = dialing.dial.advance(to: now)
        } catch { action = dialing.dial.failed(error, at: now) }
      }
    }
  }

  private func attempt(_ connection: Connection, _ index: Int, _ dialing: Dialing) throws(Errno) {
    let speaksAtOnce = Dial.speaksAtOnce(connection.early, connection.configuration)
    let place = dialing.endpoints[index]
    let end = StreamEnd(
      try TCPSocket(connectingTo: place.endpoint, zone: place.zone, speaksAtOnce: speaksAtOnce))
    try poller.add(end.socket, token: connection.token.with(.attempt(index)).raw)
    dialing.attempts[index] = end
  }

  /// Nothing is wrong with the target: it is we who cannot connect. New clients wait until that may be over.
  private func shortOfMeans(_ connection: Connection, _ error: Errno) {
    connection.pipe.warn(
      "no_means",
      "cannot make a socket to reach the target: \(error). The client was refused, new ones wait. "
        + error.remedy(limit: connection.configuration.limitName))
    cut(connection)
    pause(connection.pipe.id)
  }

  private func unreachable(_ connection: Connection, _ code: String, _ dialing: Dialing, _ why: String) {
    let (pipe, endpoints) = (connection.pipe, dialing.endpoints)
    pipe.noteFailed()
    pipe.target.distrust(at: now)
    let places =
      endpoints.prefix(4).map(\.description).joined(separator: ", ") + (endpoints.count > 4 ? ", .." : "")
    pipe.warn(
      code,
      "cannot connect to \(places): \(why). The client was refused; check that the target is up and listens.")
    cut(connection)
  }

  /// Something happened to an attempt to connect, or to the target.
  func targetChanged(_ connection: Connection, _ index: Int, _ readiness: Readiness) {
    switch connection.phase {
    case .open(let received, let sent):
      guard index == connection.targetIndex else { return }
      changed(connection, received.sink, readiness, source: sent, sink: received)
    case .dialing(let dialing):
      guard index < dialing.attempts.count, let end = dialing.attempts[index] else { return }
      var action = Dial.Action.wait
      if !readiness.isDisjoint(with: [.failed, .hungUp]) {
        dialing.attempts[index] = nil
        action = dialing.dial.failed(end.socket.takeError() ?? .connectionRefused, at: now)
      } else if readiness.contains(.writable) {
        action = dialing.dial.connected(index)
        dialing.early = readiness
      }
      carryOut(action, connection, dialing)
    case .header, .resolving: return
    }
  }

  /// A moment has come until which something should have happened.
  func deadlinePassed(_ connection: Connection) {
    switch connection.phase {
    case .header:
      malformed(connection, "it did not come within \(connection.configuration.connectTimeout.inSeconds) s")
    case .resolving: unresolvable(connection, "its addresses did not come in time")
    case .dialing(let dialing):
      guard connection.started + connection.configuration.connectTimeout > now else {
        let limit = connection.configuration.connectTimeout.inSeconds
        return unreachable(connection, "no_answer", dialing, "no answer within \(limit) s")
      }
      carryOut(dialing.dial.advance(to: now), connection, dialing)
    case .open where connection.breaking != nil: lookAtBreak(connection)
    case .open(let received, let sent) where received.isHeldByUs || sent.isHeldByUs:
      // A limit, or that others have their turn.
      connection.silence.moved(at: now)
      schedule(connection)
    case .open(let received, let sent):
      connection.silence.look(connection.silence.isQuiet ? Silence.Untaken() : untaken(connection), at: now)
      guard let limit = connection.silenceLimit(received, sent), connection.silence.isOver(limit, at: now)
      else { return schedule(connection) }
      let isHalfClosed = received.relay.isFinished || sent.relay.isFinished
      let setting = connection.configuration.setting(isHalfClosed ? "--fin-timeout" : "--idle-timeout")
      let seconds = (now - connection.silence.since).inSeconds.fixed(0)
      connection.pipe.warn(
        isHalfClosed ? "half_closed" : "idle",
        "the connection of \(connection.source) was silent for \(seconds) s\(isHalfClosed ? " after one side had finished" : "") "
          + "and was closed. Raise \(setting) if it should live longer."
      )
      cut(connection)
    }
  }
}

extension Dial {
  /// Whether the target receives something as soon as it is connected, as far as is known of the client.
  static func speaksAtOnce(_ early: Readiness, _ configuration: PipeConfiguration) -> Bool {
    if configuration.sendsProxy != nil { return true }
    // Under a limit bytes may have to wait; of a header that was for us nothing is left.
    if configuration.receivedLimit != nil || configuration.acceptsProxy { return false }
    return !early.isDisjoint(with: [.readable, .peerFinished])
  }
}
