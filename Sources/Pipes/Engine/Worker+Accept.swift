import Model
import Synchronization
import SystemRuntime
import SystemPackage

extension Worker {
  /// How long accepting rests when there is no room.
  private static let pause = Duration.milliseconds(100)

  /// Starts to accept for `pipe`.
  func open(_ pipe: Pipe) {
    services[pipe.id] = Service(pipe: pipe, listeners: pipe.listeners)
    resume(pipe.id)
    warnOfTarget(pipe)
  }

  /// Says why a pipe that accepts refuses its clients: its target's name has no address, or was slow and leads to the
  /// pipe itself. One worker does.
  func warnOfTarget(_ pipe: Pipe) {
    guard index == 0, services[pipe.id] != nil else { return }
    switch pipe.target.takeRefusalReason() {
    case .loop(let endpoint):
      pipe.warn(
        "loop", "\(PipeError.loop(name: pipe.configuration.placedName, endpoint)) Clients are refused.")
    case .unresolvable(let why): warnOfName(of: pipe, why, "Clients are refused until it has one")
    case nil: break
    }
  }

  /// Says that the target's name has no address, and what that means.
  func warnOfName(of pipe: Pipe, _ why: String, _ consequence: String) {
    let host = pipe.target.host
    let check = host.contains("%") ? "its interface (`ip link`)" : "the name (`getent ahosts \(host)`)"
    pipe.warn(
      "unresolvable",
      "cannot use \(host) as the target: \(why). \(consequence); check \(check).")
  }

  /// Stops accepting for `pipe` and cuts its connections.
  func close(_ pipe: Pipe) {
    stopAccepting(pipe)
    common.closing.wrappingSubtract(1, ordering: .acquiringAndReleasing)
    common.changed.wake()
    for connection in connections {
      if let connection, connection.pipe === pipe { cut(connection) }
    }
  }

  /// Stops accepting for every pipe.
  func drain() {
    for service in Array(services.values) { stopAccepting(service.pipe) }
    common.draining.wrappingAdd(1, ordering: .acquiringAndReleasing)
  }

  private func stopAccepting(_ pipe: Pipe) {
    guard let service = services.removeValue(forKey: pipe.id), service.pausedUntil == nil else { return }
    for listener in service.listeners { poller.remove(listener) }
  }

  /// Waits for connections again.
  func resume(_ id: Int) {
    guard let service = services[id] else { return }
    services[id]?.pausedUntil = nil
    for (index, listener) in service.listeners.enumerated() {
      let token = Token(slot: id, generation: UInt32(index), .listener)
      do throws(Errno) { try poller.add(listener, token: token.raw) } catch {
        service.pipe.warn("not_accepting", "cannot wait for connections: \(error). It is tried again.")
        pause(id)
        return
      }
    }
  }

  /// Waits for no connections for a moment.
  func pause(_ id: Int) {
    guard let service = services[id] else { return }
    if service.pausedUntil == nil { for listener in service.listeners { poller.remove(listener) } }
    services[id]?.pausedUntil = now + Self.pause
  }

  /// How many connections a busy worker takes in one go.
  private static let acceptsWhenBusy = 32

  /// Takes connections that wait. The poller says so again if there are more, and asking for one that is not there
  /// costs as much as taking one: only a worker with other work, which comes back late, takes more than one.
  func accept(for id: Int, listener index: Int) {
    for _ in 0..<(isBusy ? Self.acceptsWhenBusy : 1) where !acceptOne(for: id, listener: index) { return }
  }

  /// Takes a connection; false when none waits, or none can be taken now.
  private func acceptOne(for id: Int, listener index: Int) -> Bool {
    guard let service = services[id], service.pausedUntil == nil, index < service.listeners.count else {
      return false
    }
    let pipe = service.pipe
    let limit = pipe.connectionLimit
    guard hasRoom(limit), pipe.enter(limit: limit ?? .max) else {
      full(pipe, limit)
      pause(id)
      return false
    }
    do throws(Errno) {
      guard let accepted = try service.listeners[index].accept() else {
        pipe.leave()
        return false
      }
      pipe.noteAccepted()
      let source = accepted.peer
      place(pipe, StreamEnd(accepted.intoSocket()), from: source)
      return true
    } catch {
      pipe.leave()
      pipe.warn(
        "no_descriptors",
        "cannot accept a connection: \(error). New clients wait. "
          + error.remedy(limit: pipe.configuration.limitName))
      pause(id)
      return false
    }
  }

  /// Whether one more connection may be opened by a pipe without a `limit` of its own.
  private func hasRoom(_ limit: Int?) -> Bool {
    // Others may accept at this moment: one more for each is in the budget.
    limit != nil || colleagues.reduce(0) { $0 + $1.load } < common.connectionLimit.load(ordering: .relaxed)
  }

  private func full(_ pipe: Pipe, _ limit: Int?) {
    let (number, remedy) =
      limit.map { ("\($0) connections of \(pipe.configuration.limitName ?? "the limit")", "it") }
      ?? (
        "\(common.connectionLimit.load(ordering: .relaxed)) connections that the limit of descriptors allows",
        "that limit \(DescriptorBudget.remedy)"
      )
    pipe.warn("full", "all \(number) are in use: new clients wait. Raise \(remedy).")
  }

  /// Whether who has `mine` connections keeps a new one, where `least` is the fewest that a worker has.
  ///
  /// Of a few connections one more or less is a great part of the work. The second is not worth the way to another worker:
  /// often the first ends soon.
  static func keeps(mine: Int, least: Int) -> Bool {
    (2..<16).contains(mine) ? least >= mine : least + 1 >= mine
  }

  /// Keeps a connection, or gives it to the worker who has least: the kernel tends to wake the same one.
  private func place(_ pipe: Pipe, _ client: StreamEnd, from source: Endpoint) {
    let least = colleagues.min { $0.load < $1.load } ?? mailbox
    guard !Self.keeps(mine: mailbox.load, least: least.load) else {
      mailbox.addLoad(1)
      return begin(pipe, client, from: source)
    }
    least.addLoad(1)
    if least.post(.adopt(pipe, client, source: source)) { return }
    // That worker has ended, and this one will: until then the connection is its own to cut.
    least.addLoad(-1)
    mailbox.addLoad(1)
    begin(pipe, client, from: source)
  }

  /// Starts with a connection of this worker's.
  func begin(_ pipe: Pipe, _ client: StreamEnd, from source: Endpoint) {
    let slot = freeSlots.popLast() ?? connections.count
    if slot == connections.count {
      connections.append(nil)
      generations.append(0)
    }
    let token = Token(slot: slot, generation: generations[slot], .client)
    let connection = Connection(pipe, client, from: source, token: token, at: now)
    connections[slot] = connection
    keepAlive.began(at: now)
    if pipe.isClosed { return cut(connection) }
    do throws(Errno) { try poller.add(connection.client.socket, token: token.raw) } catch {
      pipe.warn("not_accepting", "cannot wait for a connection: \(error). The client was refused.")
      return cut(connection)
    }
    noteOthers()
    switch connection.phase {
    case .header: schedule(connection)
    default: newcomers.append(token)
    }
  }

  /// Ends a connection so that both peers see it as broken.
  func cut(_ connection: Connection) {
    connection.client.socket.resetOnClose()
    switch connection.phase {
    case .open(let received, _): received.sink.socket.resetOnClose()
    // One of them may be connected already: an empty connection with a good end would look like a wish of the client.
    case .dialing(let dialing): for attempt in dialing.attempts { attempt?.socket.resetOnClose() }
    case .header, .resolving: break
    }
    close(connection)
  }

  /// Cuts a connection that was handed over and never began.
  func cut(_ client: StreamEnd, of pipe: Pipe) {
    client.socket.resetOnClose()
    pipe.leave()
    mailbox.addLoad(-1)
  }

  /// Forgets a connection; its sockets close with it.
  func close(_ connection: Connection) {
    let slot = Int(connection.token.slot)
    connections[slot] = nil
    generations[slot] = (generations[slot] + 1) & 0xff_ffff
    freeSlots.append(slot)
    if case .open(let received, let sent) = connection.phase {
      for half in [received, sent] {
        if let pipe = half.pipe { pool.giveBack(pipe, isEmpty: half.relay.pending == 0) }
        half.pipe = nil
        leaveQueue(half, connection)
        leaveTurn(half, connection)
        half.limiter.giveBack(half.grant)
      }
    }
    if let account = connection.account { connection.pipe.clients?.close(account) }
    if !connection.isKeptAlive { keepAlive.left() }
    connection.pipe.leave()
    mailbox.addLoad(-1)
    if services[connection.pipe.id]?.pausedUntil != nil { services[connection.pipe.id]?.pausedUntil = now }
  }
}
