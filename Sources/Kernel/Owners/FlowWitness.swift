import Model

/// Finds whose flows are while their sockets live, for the thread that hears of new ones.
package struct FlowWitness: ~Copyable {
  var finder: OwnerFinder
  private var sockets: WitnessedSockets
  var portless: PortlessSockets
  var revisits = Revisits()
  private var hasNews = false

  /// Looks at the sockets of this thread's network namespace, and with `namespaces` at those of others.
  init(namespaces: Bool, at now: ContinuousClock.Instant) throws(KernelError) {
    let elsewhere = namespaces ? try NamespaceSockets(at: now) : nil
    self.init(try OwnerFinder(at: now), try SocketLookup(), elsewhere, at: now)
  }

  /// Looks at the sockets that `lookup` sees.
  package init(
    _ finder: consuming OwnerFinder, _ lookup: consuming SocketLookup, at now: ContinuousClock.Instant
  ) {
    self.init(finder, lookup, nil, at: now)
  }

  /// Looks at the sockets that `lookup` sees, and at those of other network namespaces.
  init(
    _ finder: consuming OwnerFinder, _ lookup: consuming SocketLookup,
    _ elsewhere: NamespaceSockets?,
    at now: ContinuousClock.Instant
  ) {
    self.finder = finder
    sockets = WitnessedSockets(lookup, elsewhere)
    portless = PortlessSockets(SocketTable(), at: now)
  }

  /// Readable when processes started or ended; nil where that is not told.
  package var newsDescriptor: Int32? { finder.eventDescriptor }

  /// What did not fit or was given up, since start.
  var dropped: UInt64 {
    revisits.dropped + portless.unread + sockets.dropped + finder.dropped + finder.forgotten
  }

  /// When `idle` has something to do; nil when only news can bring it something.
  package func due(at now: ContinuousClock.Instant) -> ContinuousClock.Instant? {
    hasNews ? now : [revisits.next, sockets.due].compactMap(\.self).min()
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
    if !lookAtBoth(flow, at: now, report, { true }) { sockets.noteStranger(flow) }
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
    for flow in sockets.strangers(at: now) { _ = lookAtBoth(flow, at: now, report, isUrgent) }
    hasNews = finder.handleProcessEvents(limit: 8)
    finder.meetNewest()
  }

  /// Takes the processor that the newest process runs on, if that was told since the last call: where a short-lived
  /// socket will most likely be made next.
  package mutating func takeProcessor() -> Int32? {
    defer { finder.newestProcessor = nil }
    return finder.newestProcessor
  }

  /// Takes the processes that were found to run another program since the last call.
  mutating func takeRenamed() -> [ProcessIdentity] { finder.takeRenamed() }

  /// Reads where those processes run that were reported since the last call, and returns what is known of them now. Can
  /// wait, as what `idle` does.
  mutating func readPlaces() -> [ProcessDescription] { finder.readPlaces() }

  /// Looks at both ends; false when neither has a socket.
  private mutating func lookAtBoth(
    _ flow: Flow, at now: ContinuousClock.Instant, _ report: (Sighting, ProcessDescription?) -> Void,
    _ isUrgent: () -> Bool
  ) -> Bool {
    let isClient = look(flow, isClient: true, attempts: 0, at: now, report, isUrgent)
    let isServer = look(flow, isClient: false, attempts: 0, at: now, report, isUrgent)
    return isClient || isServer
  }

  /// Looks at one end; false when it has no socket.
  @discardableResult private mutating func look(
    _ flow: Flow, isClient: Bool, attempts: Int, at now: ContinuousClock.Instant,
    _ report: (Sighting, ProcessDescription?) -> Void,
    _ isUrgent: () -> Bool
  ) -> Bool {
    let tuple = isClient ? flow.original : flow.reply
    let found = sockets.held(tuple, at: now)
    guard let found, found.socket.inode != 0 else {
      // A client without a socket has closed it, or is another host. A server's comes with the handshake, and its
      // inode when it is accepted; one that was there and is gone was closed.
      let mayCome = attempts == 0 ? sockets.isListening(tuple, at: now) : found?.socket.state == .open
      if !isClient && mayCome { revisits.add(flow, isClient: false, attempts: attempts, at: now) }
      return found != nil || mayCome
    }
    let socket = found.socket
    var holding = finder.owner(ofInode: socket.inode, uid: socket.uid)
    if holding == nil && attempts > 0 {
      holding = Self.search(&finder, &sockets, socket, tuple, at: now, isUrgent)
    }
    guard let holding else {
      revisits.add(flow, isClient: isClient, attempts: attempts, at: now)
      return true
    }
    report(
      Sighting(
        flow: flow.identity, isClient: isClient, process: holding.owner,
        certainty: Certainty(isShared: holding.isShared),
        hasAddress: found.isElsewhere || !socket.local.address.isUnspecified),
      finder.description(of: holding.owner))
    return true
  }

  /// Searches all processes, for as long as nothing is urgent and the socket is still there to be found.
  private static func search(
    _ finder: inout OwnerFinder, _ sockets: inout WitnessedSockets, _ socket: SocketEntry, _ tuple: FlowTuple,
    at now: ContinuousClock.Instant, _ isUrgent: () -> Bool
  ) -> OwnerFinder.Holding? {
    finder.owner(ofInode: socket.inode, uid: socket.uid, at: now) {
      !isUrgent() && sockets.held(tuple, at: now)?.socket.inode == socket.inode
    }
  }

  private static func hasLookup(_ transport: TransportProtocol) -> Bool {
    transport == .tcp || transport == .udp || transport == .udpLite
  }
}
