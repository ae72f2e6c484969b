import Model

/// Finds whose flows are while their sockets live, for the thread that hears of new ones.
package struct FlowWitness: ~Copyable {
  var finder: OwnerFinder
  private var lookup: SocketLookup
  var portless: PortlessSockets
  var revisits = Revisits()
  private var hasNews = false

  /// Looks at the sockets of this thread's network namespace.
  init(at now: ContinuousClock.Instant) throws(KernelError) {
    self.init(try OwnerFinder(at: now), try SocketLookup(), at: now)
  }

  /// Looks at the sockets that `lookup` sees.
  package init(
    _ finder: consuming OwnerFinder, _ lookup: consuming SocketLookup,
    _ table: consuming SocketTable = SocketTable(),
    at now: ContinuousClock.Instant
  ) {
    self.finder = finder
    self.lookup = lookup
    portless = PortlessSockets(table, at: now)
  }

  /// Readable when processes started or ended; nil where that is not told.
  package var newsDescriptor: Int32? { finder.eventDescriptor }

  /// What did not fit or was given up, since start.
  var dropped: UInt64 { revisits.dropped + portless.unread + finder.dropped + finder.forgotten }

  /// When `idle` has something to do; nil when only news can bring it something.
  package func due(at now: ContinuousClock.Instant) -> ContinuousClock.Instant? {
    hasNews ? now : revisits.next
  }

  /// Looks at both ends of a flow that was just made, and reports whose they are with what those processes run. An end
  /// without an owner yet is looked at again.
  package mutating func see(
    _ flow: Flow, at now: ContinuousClock.Instant, _ report: (Sighting, ProcessDescription?) -> Void
  ) {
    let transport = flow.original.transport
    guard Self.hasLookup(transport) || !transport.hasPorts else { return }
    // Before anything else: the client's descriptor is what goes first.
    finder.glimpse()
    guard transport.hasPorts else { return lookPortless(flow, attempts: 0, at: now, report) { true } }
    for isClient in [true, false] { look(flow, isClient: isClient, attempts: 0, at: now, report) { true } }
  }
  /// Does what can wait: looks again, and reads the names of processes that started. `isUrgent` is asked often and
  /// says that something cannot wait any longer.
  package mutating func idle(
    at now: ContinuousClock.Instant, _ report: (Sighting, ProcessDescription?) -> Void, isUrgent: () -> Bool
  ) {
    for visit in revisits.take(at: now) {
      if visit.flow.original.transport.hasPorts {
        look(visit.flow, isClient: visit.isClient, attempts: visit.attempts + 1, at: now, report, isUrgent)
      } else {
        lookPortless(visit.flow, attempts: visit.attempts + 1, at: now, report, isUrgent)
      }
    }
    hasNews = finder.handleProcessEvents(limit: 8)
    finder.meetNewest()
  }

  private mutating func look(
    _ flow: Flow, isClient: Bool, attempts: Int, at now: ContinuousClock.Instant,
    _ report: (Sighting, ProcessDescription?) -> Void,
    _ isUrgent: () -> Bool
  ) {
    let tuple = isClient ? flow.original : flow.reply
    let socket = lookup.held(tuple)
    guard let socket, socket.inode != 0 else {
      // A client without a socket has closed it, or is another host. A server's comes with the handshake, and its
      // inode when it is accepted; one that was there and is gone was closed.
      let mayCome = attempts == 0 ? isListening(tuple) : socket?.state == .open
      if !isClient && mayCome { revisits.add(flow, isClient: false, attempts: attempts, at: now) }
      return
    }
    var holding = finder.owner(ofInode: socket.inode, uid: socket.uid)
    if holding == nil && attempts > 0 {
      holding = Self.search(&finder, &lookup, socket, tuple, at: now, isUrgent)
    }
    guard let holding else {
      revisits.add(flow, isClient: isClient, attempts: attempts, at: now)
      return
    }
    report(
      Sighting(
        flow: flow.identity, isClient: isClient, process: holding.owner,
        certainty: Certainty(isShared: holding.isShared),
        hasAddress: !socket.local.address.isUnspecified),
      finder.description(of: holding.owner))
  }

  /// Searches all processes, for as long as nothing is urgent and the socket is still there to be found.
  private static func search(
    _ finder: inout OwnerFinder, _ lookup: inout SocketLookup, _ socket: SocketEntry, _ tuple: FlowTuple,
    at now: ContinuousClock.Instant, _ isUrgent: () -> Bool
  ) -> OwnerFinder.Holding? {
    finder.owner(ofInode: socket.inode, uid: socket.uid, at: now) {
      !isUrgent() && lookup.held(tuple)?.inode == socket.inode
    }
  }

  private mutating func isListening(_ tuple: FlowTuple) -> Bool {
    tuple.transport == .tcp && (try? lookup.listener(at: tuple.source)) != nil
  }

  private static func hasLookup(_ transport: TransportProtocol) -> Bool {
    transport == .tcp || transport == .udp || transport == .udpLite
  }
}

extension SocketLookup {
  /// The socket with this end of a flow; nil when there is none or it cannot be asked for.
  fileprivate mutating func held(_ tuple: FlowTuple) -> SocketEntry? {
    (try? socket(tuple.transport, local: tuple.source, remote: tuple.destination))?.socket
  }
}
