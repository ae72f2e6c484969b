import Kernel
import Model

/// Says whose bytes a flow's bytes are.
///
/// `claims` finds the sockets that fit, without knowing any process; `settle` turns the processes that hold
/// them into owners. Both work on values: a scenario is a table.
public struct Attribution: Sendable {
  private var earlier = EarlierOwners()
  /// Processes that had ended when the last reading was made.
  private var retired: Set<ProcessIdentity> = []
  /// With so many it is time to see which still matter.
  private var sweepsAt = Self.fewest
  private static let fewest = 1_024

  /// Makes an attribution that remembers nothing.
  public init() {}

  /// Returns one claim for each end of a flow on this host, or one for a flow that only passes through.
  ///
  /// The client's end is looked up by the original tuple, the server's by the reply tuple: whatever address
  /// translation does, these are the addresses that the sockets have. An end that is not in this network
  /// namespace may be in another: in `namespaces`.
  public func claims(
    of deltas: [FlowDelta], in flows: [Flow], sockets: SocketIndex, local: LocalAddresses,
    namespaces: NamespaceIndex = NamespaceIndex(), carriers: TunnelCarriers = TunnelCarriers(),
    witness: WitnessIndex = WitnessIndex()
  ) -> [Claim] {
    var claims: [Claim] = []
    claims.reserveCapacity(deltas.count)
    for delta in deltas {
      let flow = flows[delta.index]
      let transport = flow.original.transport
      var client: SocketIndex.Match? = fit(flow.original, sockets, witness)
      // The kernel answers ICMP; a ping socket here would fit by its identifier alone.
      var server: SocketIndex.Match? =
        transport.isICMP
        ? SocketIndex.Match.none
        : fit(flow.reply, sockets, witness)
      let isClientOurs = local.contains(flow.original.source.address) || client?.provesLocality == true
      // What this host sends to a group or to all is not thereby addressed to itself.
      let isServerOurs =
        server?.provesLocality == true
        || (isClientOurs
          ? local.contains(flow.reply.source.address) : local.receives(flow.reply.source.address))
      if !isClientOurs {
        client =
          seen(flow.original, witness)
          ?? elsewhere(delta.key, .client, flow.original, namespaces, isPeerOurs: isServerOurs)
      }
      if !isServerOurs {
        server =
          seen(flow.reply, witness)
          ?? elsewhere(delta.key, .server, flow.reply, namespaces, isPeerOurs: isClientOurs)
      }
      // One that carries a tunnel here carries it there, too: its inner flow is in this table.
      let tunnel = carriers.ground(
        flow, transport, client: isClientOurs ? client : nil, server: isServerOurs ? server : nil)
      let usage = delta.usage
      let carried = delta.carried(isClientHere: isClientOurs, isServerHere: isServerOurs)
      if let client {
        claims.append(
          Claim(
            flow: delta.key, usage: usage, carried: carried, role: .client, transport: transport,
            isLocal: server != nil, match: client,
            isDoubtful: !isClientOurs && !namespaces.isComplete && !client.isWitnessed,
            isLagging: flow.isOffloaded, tunnel: tunnel))
      }
      if let server {
        claims.append(
          Claim(
            flow: delta.key, usage: usage.reversed, carried: client == nil ? carried : .zero, role: .server,
            transport: transport, isLocal: client != nil, match: server,
            isDoubtful: !isServerOurs && !namespaces.isComplete && !server.isWitnessed,
            isLagging: flow.isOffloaded,
            tunnel: tunnel))
      }
      if client == nil && server == nil {
        // It came in once and left once.
        claims.append(
          Claim(
            flow: delta.key, usage: usage + usage.reversed, carried: carried, role: .passing,
            transport: transport,
            isLocal: false, match: .none))
      }
    }
    return claims
  }

  /// What fits the end `tuple.source` in this network namespace: who used its socket, else the socket.
  private func fit(_ tuple: FlowTuple, _ sockets: SocketIndex, _ witness: WitnessIndex) -> SocketIndex.Match {
    witness.users(tuple.transport, local: tuple.source, remote: tuple.destination).map { .witnessed($0) }
      ?? sockets.match(tuple.transport, local: tuple.source, remote: tuple.destination)
  }

  /// Who used the socket of this end in another network namespace; nil where nobody was seen.
  private func seen(_ tuple: FlowTuple, _ witness: WitnessIndex) -> SocketIndex.Match? {
    witness.usersElsewhere(tuple.transport, local: tuple.source, remote: tuple.destination).map {
      .witnessed($0)
    }
  }

  /// What fits the end `tuple.source` in another network namespace; nil when it is on another host. An end whose
  /// process was known stays here as long as its flow: the namespace may have ended with the process.
  ///
  /// A namespace may have an address that is also another host's. With a peer in our own namespace an address
  /// alone is no proof; what passes through us must be somebody's.
  private func elsewhere(
    _ flow: FlowKey, _ role: Claim.Role, _ tuple: FlowTuple, _ namespaces: NamespaceIndex, isPeerOurs: Bool
  ) -> SocketIndex.Match? {
    var match = namespaces.match(tuple.transport, local: tuple.source, remote: tuple.destination)
    // The kernel answers ICMP there as here.
    if match != nil, role == .server, tuple.transport.isICMP { match = SocketIndex.Match.none }
    if let match, match != SocketIndex.Match.none || !isPeerOurs { return match }
    return earlier.isOurs(flow, role) ? SocketIndex.Match.none : nil
  }

  /// Who moved the bytes of a claim, and how sure that is.
  public struct Finding: Sendable, Hashable {
    /// Who.
    public var owner: Owner
    /// How sure.
    public var certainty = Certainty()
  }

  /// Returns who moved how much of the bytes of a claim that the kernel told of, and remembers it.
  mutating func settle(_ claim: Claim, among users: WitnessedUsers) -> [(finding: Finding, usage: Usage)] {
    if users.isKernel { return [(Finding(owner: .kernel), claim.usage)] }
    earlier.remember(users.principal, Certainty(), of: claim.flow, claim.role)
    return users.split(claim.usage).map { (Finding(owner: .process($0.process)), $0.usage) }
  }

  /// Whether somebody is known to have had this end of a flow.
  func isKnown(_ flow: FlowKey, _ role: Claim.Role) -> Bool { earlier.owner(of: flow, role) != nil }

  /// Returns who moved the bytes of a claim, and remembers it.
  ///
  /// `holders` has the processes that hold its sockets' inodes, the oldest first; `isDenied` says that some
  /// processes could not be read; `hasEnded` that the flow is no longer in the table. A socket that several processes
  /// hold belongs to the oldest of them.
  public mutating func settle(
    _ claim: Claim, holders: [UInt64: [ProcessIdentity]], isDenied: Bool, hasEnded: Bool = false
  ) -> Finding {
    if hasEnded, let former = ownerBeforeSuccessor(claim, holders) { return former }
    var finding = find(claim, holders, isDenied)
    if claim.isDoubtful { finding.certainty.match = .relaxed }
    guard case .process(let process) = finding.owner else { return finding }
    let hasChanged = isAnothersNow(claim, holders)
    earlier.remember(process, finding.certainty, of: claim.flow, claim.role, socket: claim.match.onlyInode)
    return hasChanged ? Finding(owner: .unattributed(.ambiguous)) : finding
  }

  /// True when the end was another process's, by a socket that is not among those that take its packets now: a
  /// connected socket of a shared port was closed, or a server was started again, and whose these bytes are is not
  /// known.
  private func isAnothersNow(_ claim: Claim, _ holders: [UInt64: [ProcessIdentity]]) -> Bool {
    guard case .bound(let sockets) = claim.match, claim.transport.hasPorts,
      let former = earlier.owner(of: claim.flow, claim.role)
    else { return false }
    return !isHeld(by: former.owner, sockets, holders)
      && !earlier.wasEnd(sockets, of: claim.flow, claim.role)
  }

  /// Whose the end of a connection was that has ended, when the socket with its ends is already that of the next one
  /// there, or may be: where nobody was seen before, it cannot be told which of the two had these bytes. Nil when it is
  /// the same.
  private func ownerBeforeSuccessor(_ claim: Claim, _ holders: [UInt64: [ProcessIdentity]]) -> Finding? {
    guard case .exact(let socket) = claim.match, claim.transport == .tcp else { return nil }
    guard let former = earlier.owner(of: claim.flow, claim.role) else {
      return Finding(owner: .unattributed(.ambiguous))
    }
    let isSame =
      isHeld(by: former.owner, [socket], holders) || earlier.wasEnd([socket], of: claim.flow, claim.role)
    return isSame ? nil : former
  }

  /// Remembers whose end of a flow this is, seen while its socket lived.
  public mutating func learn(_ sighting: Sighting, of flow: FlowKey) {
    earlier.remember(
      sighting.process, sighting.certainty, of: flow, sighting.isClient ? .client : .server,
      isOurs: sighting.hasAddress)
  }

  /// Remembers what processes run that were seen while their sockets lived.
  public mutating func learn(_ descriptions: [ProcessIdentity: ProcessDescription]) {
    earlier.describe(descriptions)
  }

  /// What a process ran when it was seen, for when it has ended since.
  public func description(of process: ProcessIdentity) -> ProcessDescription? {
    earlier.description(of: process)
  }

  /// How many ends of flows it knows the owners of.
  var remembered: Int { earlier.count }

  /// True when these are far more than `flows` flows have.
  func remembersMore(than flows: Int) -> Bool { remembered > 2 * flows + Self.fewest }

  /// Forgets all flows but these: ends that the kernel could not tell of.
  mutating func keep(_ flows: Set<FlowKey>) { earlier.keep(flows) }

  /// Takes processes that had ended when the last reading was made. What left since by a datagram socket that is gone
  /// is not theirs: somebody else may have taken its port while the flow lives.
  mutating func retire(_ processes: [ProcessIdentity]) {
    retired.formUnion(processes)
    guard retired.count >= sweepsAt else { return }
    retired.formIntersection(earlier.processes)
    sweepsAt = max(Self.fewest, retired.count * 2)
  }

  /// Forgets flows that are no longer in the table.
  public mutating func forget(_ gone: [FlowKey]) { earlier.forget(gone) }

  private func find(
    _ claim: Claim, _ holders: [UInt64: [ProcessIdentity]], _ isDenied: Bool
  ) -> Finding {
    var earlier: Finding? { self.earlier.owner(of: claim.flow, claim.role) }
    switch claim.match {
    case _ where claim.role == .passing: return Finding(owner: .forwarded)
    case .exact(let socket):
      // Most bytes of most hosts: no list is made for them.
      if let all = holders[socket.inode], let oldest = all.first {
        return Finding(owner: .process(oldest), certainty: Certainty(isShared: all.count > 1))
      }
      return unheldOwner(isDenied, earlier)
    case .bound(let sockets):
      if let earlier, claim.transport.isICMP, !isHeld(by: earlier.owner, sockets, holders) { return earlier }
      return holder(of: sockets, holders, earlier) ?? unheldOwner(isDenied, earlier)
    case .listening(let sockets) where claim.role == .server:
      // The accepted socket is not there yet, or no longer: whoever had it, else the only listener.
      if let earlier { return earlier }
      let processes = Set(sockets.flatMap { holders[$0.inode] ?? [] })
      if let only = processes.first, processes.count == 1 {
        return Finding(owner: .process(only), certainty: Certainty(match: .relaxed))
      }
      return Finding(owner: .unattributed(processes.isEmpty ? (isDenied ? .denied : .noHolder) : .ambiguous))
    case .contested: return Finding(owner: .unattributed(.ambiguous))
    case .witnessed, .listening, .closing, .none:
      if claim.isSentByDatagrams, case .process(let process) = earlier?.owner, retired.contains(process) {
        return Finding(owner: claim.ownerWithoutSocket)
      }
      return earlier ?? Finding(owner: claim.ownerWithoutSocket)
    }
  }

  /// The process that holds all of `sockets`, each by its oldest holder; nil when nobody holds any.
  private func holder(
    of sockets: [SocketEntry], _ holders: [UInt64: [ProcessIdentity]], _ earlier: Finding?
  ) -> Finding? {
    var only: ProcessIdentity?
    var isShared = false
    var isHidden = false
    for socket in sockets {
      guard let all = holders[socket.inode], let oldest = all.first else {
        isHidden = true
        continue
      }
      if let only, only != oldest { return Finding(owner: .unattributed(.ambiguous)) }
      only = oldest
      isShared = isShared || all.count > 1
    }
    guard let only else { return nil }
    // Somebody who cannot be seen may have moved them as well.
    if isHidden { return Finding(owner: .unattributed(.ambiguous)) }
    // A raw socket sees what others of its protocol send. A port may have had another socket when the flow began,
    // unless this one was seen then.
    let wasSeen = earlier?.owner == .process(only) && earlier?.certainty.match == .exact
    let isExact = sockets.allSatisfy { $0.transport.hasPorts && ($0.remote.port != 0 || wasSeen) }
    return Finding(
      owner: .process(only), certainty: Certainty(match: isExact ? .exact : .relaxed, isShared: isShared))
  }

  /// True when `owner` holds one of `sockets`. Who asked by a raw socket and has closed it is not the one who has the
  /// only raw socket now: each asks under an identifier of its own.
  private func isHeld(
    by owner: Owner, _ sockets: [SocketEntry], _ holders: [UInt64: [ProcessIdentity]]
  ) -> Bool {
    sockets.contains { holders[$0.inode]?.contains { .process($0) == owner } ?? false }
  }

  /// Whose a socket is that no process seems to hold. Never the kernel's for want of a better name: the holder may
  /// be hidden, in another pid namespace, or without a leading thread.
  private func unheldOwner(_ isDenied: Bool, _ earlier: Finding?) -> Finding {
    earlier ?? Finding(owner: .unattributed(isDenied ? .denied : .noHolder))
  }
}
