import Model
import Netfilter
import SystemRuntime

/// Finds the owners of flows while their sockets live, for the thread that receives new flows.
package struct EarlyAttribution: ~Copyable {
  var finder: OwnerFinder
  var sockets: FlowSocketLookup
  var portless: PortlessSockets
  var retries = LookupRetries()
  // Flows that a namespace which was not known may have, to be looked at once more.
  private var strangers: [Flow] = []
  private var hasEvents = false
  private var passedOver: UInt64 = 0

  /// What did not go as it should, since start.
  package struct Condition: Sendable, Hashable {
    /// Ends of flows that were not looked at, or not to the end, and what was forgotten or not read, for want of room
    /// or time.
    var unseen: UInt64 = 0
    /// Times that the kernel dropped events of processes.
    var missedEvents: UInt64 = 0
    /// Messages that could not be understood.
    var malformed: UInt64 = 0
    /// Processes that may not be read, as last tried.
    var denied = 0

    /// Adds what another one has counted.
    mutating func add(_ other: Condition) {
      unseen += other.unseen
      missedEvents += other.missedEvents
      malformed += other.malformed
    }
  }

  /// Looks at the sockets of this thread's network namespace, and with `namespaces` at those of others. Without
  /// diagnostics of sockets it sees little; `Preflight` says so.
  init(namespaces: Bool, at now: Instant) throws(KernelError) {
    let elsewhere = namespaces ? try NamespaceSockets(at: now) : nil
    self.init(try OwnerFinder(at: now), try? SocketLookup(), elsewhere, at: now)
  }

  /// Looks at the sockets that `lookup` sees.
  package init(
    _ finder: consuming OwnerFinder, _ lookup: consuming SocketLookup?, at now: Instant
  ) {
    self.init(finder, lookup, nil, at: now)
  }

  /// Looks at the sockets that `lookup` sees, and at those of other network namespaces.
  init(
    _ finder: consuming OwnerFinder, _ lookup: consuming SocketLookup?,
    _ elsewhere: NamespaceSockets?,
    at now: Instant
  ) {
    self.finder = finder
    sockets = FlowSocketLookup(lookup, elsewhere)
    portless = PortlessSockets(SocketTable(), at: now)
  }

  /// Readable when processes started or ended; nil where that is not reported.
  package var processEventDescriptor: Int32? { finder.eventDescriptor }

  /// What did not go as it should, since start.
  var condition: Condition {
    let counters = finder.counters
    return Condition(
      unseen: passedOver + retries.dropped + portless.unread + sockets.dropped + finder.dropped
        + finder.forgotten + counters.cutShort + counters.unread,
      missedEvents: counters.lostEvents,
      malformed: counters.malformedEvents + sockets.malformed + portless.malformed, denied: finder.denied)
  }

  /// When `idle` has something to do; nil when only an event can bring it something.
  package func due(at now: Instant) -> Instant? {
    hasEvents || !strangers.isEmpty ? now : [retries.next, sockets.due].compactMap(\.self).min()
  }

  /// Looks at both ends of a flow that was just made, and reports whose they are with what those processes run. An end
  /// without an owner yet is looked at again. `isUrgent` says that something cannot wait for a long look; `breathe` is
  /// called before each look, which takes up to a millisecond.
  package mutating func see(
    _ flow: Flow, at now: Instant, _ report: (EarlyOwner, ProcessDescription?) -> Void,
    isUrgent: () -> Bool = { false }, breathe: () -> Void = {}
  ) {
    let transport = flow.original.transport
    guard Self.isLookedAt(transport) else { return }
    guard transport.hasPorts else {
      breathe()
      return lookPortless(flow, attempts: 0, at: now, report) { true }
    }
    if !lookAtBoth(flow, at: now, report, isUrgent, breathe) { sockets.noteStranger(flow) }
  }

  /// Takes note that a flow was made and nobody looked at it, for want of time.
  mutating func passOver(_ flow: Flow) { if Self.isLookedAt(flow.original.transport) { passedOver += 1 } }

  /// Does what can wait: looks again, and reads the names of processes that started. `isOver` says that a flow has
  /// ended, so that its ends may be another's by now; `isUrgent` is asked often and says that something cannot wait any
  /// longer: what is not done then is due at once. `breathe` is called as `see` does.
  package mutating func idle(
    at now: Instant, _ report: (EarlyOwner, ProcessDescription?) -> Void,
    isOver: (FlowIdentity) -> Bool = { _ in false }, isUrgent: () -> Bool, breathe: () -> Void = {}
  ) {
    if strangers.isEmpty { strangers = sockets.strangers(at: now) }
    // One in any case, so that a flood of what is urgent does not end all of this.
    repeat {
      if let retry = retries.takeNext(at: now) {
        if isOver(retry.flow.identity) { continue }
        breathe()
        lookAgain(retry, at: now, report, isUrgent)
      } else if let flow = strangers.popLast() {
        if !isOver(flow.identity) { _ = lookAtBoth(flow, at: now, report, isUrgent, breathe) }
      } else {
        break
      }
    } while !isUrgent()
    hasEvents = finder.handleProcessEvents(limit: 8)
  }

  /// Takes the processes that were found to run another program since the last call.
  mutating func takeRenamed() -> [ProcessIdentity] { finder.takeRenamed() }

  /// True when there are processes for `readPlaces`.
  var hasUnplaced: Bool { finder.hasUnplaced }

  /// Reads where some of those processes run that were reported, and returns what is known of them now. Can wait, as what
  /// `idle` does.
  mutating func readPlaces() -> [ProcessDescription] { finder.readPlaces(limit: 16) }

  private mutating func lookAgain(
    _ retry: LookupRetries.Retry, at now: Instant,
    _ report: (EarlyOwner, ProcessDescription?) -> Void, _ isUrgent: () -> Bool
  ) {
    if let seen = retry.seen { return lookForHandover(seen, retry, at: now, report, isUrgent) }
    let attempts = retry.attempts + 1
    if retry.flow.original.transport.hasPorts {
      look(retry.flow, isClient: retry.isClient, attempts: attempts, at: now, report, isUrgent)
    } else {
      lookPortless(retry.flow, attempts: attempts, at: now, report, isUrgent)
    }
  }

  /// Looks at both ends; false when neither has a socket.
  private mutating func lookAtBoth(
    _ flow: Flow, at now: Instant, _ report: (EarlyOwner, ProcessDescription?) -> Void,
    _ isUrgent: () -> Bool, _ breathe: () -> Void
  ) -> Bool {
    breathe()
    let isClient = look(flow, isClient: true, attempts: 0, at: now, report, isUrgent)
    breathe()
    let isServer = look(flow, isClient: false, attempts: 0, at: now, report, isUrgent)
    return isClient || isServer
  }

  /// Looks at one end; false when it has no socket.
  @discardableResult mutating func look(
    _ flow: Flow, isClient: Bool, attempts: Int, at now: Instant,
    _ report: (EarlyOwner, ProcessDescription?) -> Void,
    _ isUrgent: () -> Bool
  ) -> Bool {
    let tuple = isClient ? flow.original : flow.reply
    let found = sockets.held(tuple, at: now)
    guard let found, found.socket.inode != 0 else {
      // A client without a socket has closed it, or is another host. A server's comes with the handshake, and its
      // inode when it is accepted; one that was there and is gone was closed.
      let mayCome = attempts == 0 ? sockets.isListening(tuple, at: now) : found?.socket.state == .open
      if !isClient && mayCome { retries.add(flow, isClient: false, attempts: attempts, at: now) }
      return found != nil || mayCome
    }
    let socket = found.socket
    let listener = isClient || found.isElsewhere ? nil : sockets.listener(tuple)
    var holding = finder.owner(
      ofInode: socket.inode, uid: socket.uid, acceptedBy: listener?.inode ?? 0, isUrgent: isUrgent)
    // Who listens mostly accepts as well, and is given more time.
    if holding == nil, attempts > (listener == nil ? 0 : 1) {
      holding = Self.search(&finder, &sockets, socket, tuple, at: now, isUrgent)
    }
    guard let holding else {
      retries.add(flow, isClient: isClient, attempts: attempts, at: now)
      return true
    }
    let hasAddress = found.isElsewhere || !socket.local.address.isUnspecified
    report(
      EarlyOwner(
        flow: flow.identity, isClient: isClient, process: holding.owner,
        certainty: Certainty(match: found.match, isShared: holding.isShared), hasAddress: hasAddress),
      finder.description(of: holding.owner))
    if !isClient, tuple.transport == .tcp, attempts < LookupRetries.delays.count {
      let seen = LookupRetries.Seen(
        holding: holding, inode: socket.inode, hasAddress: hasAddress, turn: finder.observed.living.lastTurn)
      retries.add(seen, of: flow, at: now)
    }
    return true
  }

  /// Searches all processes, for as long as nothing is urgent and the socket is still there to be found.
  private static func search(
    _ finder: inout OwnerFinder, _ sockets: inout FlowSocketLookup, _ socket: SocketEntry, _ tuple: FlowTuple,
    at now: Instant, _ isUrgent: () -> Bool
  ) -> OwnerFinder.Holding? {
    finder.owner(ofInode: socket.inode, uid: socket.uid, at: now) {
      !isUrgent() && sockets.held(tuple, at: now)?.socket.inode == socket.inode
    }
  }

  /// True for protocols without ports too, whose tables are read.
  private static func isLookedAt(_ transport: TransportProtocol) -> Bool {
    transport == .tcp || transport == .udp || transport == .udpLite || !transport.hasPorts
  }
}
