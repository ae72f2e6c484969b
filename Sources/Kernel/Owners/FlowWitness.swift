import Model

/// Finds whose flows are while their sockets live, for the thread that hears of new ones.
struct FlowWitness: ~Copyable {
  private var lookup: SocketLookup
  private var finder: OwnerFinder
  private var revisits = Revisits()
  private var hasNews = false

  init(at now: ContinuousClock.Instant) throws(KernelError) {
    let lookup = try SocketLookup()
    let finder = try OwnerFinder(at: now)
    self.lookup = lookup
    self.finder = finder
  }

  /// Readable when processes started or ended; nil where that is not told.
  var newsDescriptor: Int32? { finder.eventDescriptor }

  /// What did not fit or was given up, since start.
  var dropped: UInt64 { revisits.dropped + finder.dropped + finder.forgotten }

  /// When `idle` has something to do; nil when only news can bring it something.
  func due(at now: ContinuousClock.Instant) -> ContinuousClock.Instant? { hasNews ? now : revisits.next }

  /// Looks at both ends of a flow that was just made, and reports whose they are with what those processes run. An end without an owner yet is looked at again.
  mutating func see(
    _ flow: Flow, at now: ContinuousClock.Instant, _ report: (Sighting, ProcessDescription?) -> Void
  ) {
    guard Self.hasLookup(flow.original.transport) else { return }
    for isClient in [true, false] { look(flow, isClient: isClient, attempts: 0, at: now, report) { true } }
  }

  /// Does what can wait: looks again, and reads the names of processes that started. `isUrgent` is asked often and
  /// says that something cannot wait any longer.
  mutating func idle(
    at now: ContinuousClock.Instant, _ report: (Sighting, ProcessDescription?) -> Void, isUrgent: () -> Bool
  ) {
    for visit in revisits.take(at: now) {
      look(visit.flow, isClient: visit.isClient, attempts: visit.attempts + 1, at: now, report, isUrgent)
    }
    hasNews = finder.handleProcessEvents(limit: 8)
  }

  private mutating func look(
    _ flow: Flow, isClient: Bool, attempts: Int, at now: ContinuousClock.Instant,
    _ report: (Sighting, ProcessDescription?) -> Void,
    _ isUrgent: () -> Bool
  ) {
    let tuple = isClient ? flow.original : flow.reply
    guard
      let socket = try? lookup.socket(tuple.transport, local: tuple.source, remote: tuple.destination)?
        .socket,
      socket.inode != 0
    else {
      // A client without a socket has closed it, or is another host. A server's comes after the handshake.
      if !isClient && (attempts > 0 || isListening(tuple)) {
        revisits.add(flow, isClient: false, attempts: attempts, at: now)
      }
      return
    }
    var holding = finder.owner(ofInode: socket.inode, uid: socket.uid)
    if holding == nil && attempts > 0 {
      holding = finder.owner(ofInode: socket.inode, uid: socket.uid, at: now) { !isUrgent() }
    }
    guard let holding else {
      revisits.add(flow, isClient: isClient, attempts: attempts, at: now)
      return
    }
    report(
      Sighting(
        flow: flow.identity, isClient: isClient, process: holding.owner, isShared: holding.isShared),
      finder.description(of: holding.owner))
  }

  private mutating func isListening(_ tuple: FlowTuple) -> Bool {
    tuple.transport == .tcp && (try? lookup.listener(at: tuple.source)) != nil
  }

  private static func hasLookup(_ transport: TransportProtocol) -> Bool {
    transport == .tcp || transport == .udp || transport == .udpLite
  }
}
