import Model
import Netfilter

/// Says whose bytes a flow's bytes are.
///
/// `ends` finds the sockets that fit, without knowing any process; `settle` turns the processes that hold
/// them into owners. Both work on values: a scenario is a table.
public struct Attribution: Sendable {
  private(set) var earlier = LastKnownOwners()
  /// Processes that had ended when the last reading was made.
  private var retired: Set<ProcessIdentity> = []
  /// With so many it is time to see which still matter.
  private var sweepsAt = Self.fewest
  private static let fewest = 1_024

  /// Makes an attribution that remembers nothing.
  public init() {}

  /// Who moved the bytes of a flow end, and how sure that is.
  public struct AttributedOwner: Sendable, Hashable {
    /// Who.
    public var owner: Owner
    /// How sure.
    public var certainty = Certainty()
  }

  /// Gives who moved how much of the bytes of a flow end that the kernel reported to `body`, and remembers it.
  mutating func settle(
    _ flowEnd: FlowEnd, among users: WitnessedUsers, _ body: (AttributedOwner, Usage) -> Void
  ) {
    if users.isKernel { return body(AttributedOwner(owner: .kernel), flowEnd.usage) }
    earlier.remember(users.principal, Certainty(), of: flowEnd.flow, flowEnd.role)
    // Most have one user: no list is made for them.
    if let only = users.only { return body(AttributedOwner(owner: .process(only)), flowEnd.usage) }
    for share in users.split(flowEnd.usage) {
      body(AttributedOwner(owner: .process(share.process)), share.usage)
    }
  }

  /// Whether somebody is known to have had this end of a flow.
  func isKnown(_ flow: FlowKey, _ role: FlowEnd.Role) -> Bool { earlier.owner(of: flow, role) != nil }

  /// Returns who moved the bytes of a flow end, and remembers it.
  ///
  /// `holders` has the processes that hold its sockets' inodes, the oldest first; `isDenied` says that some
  /// processes could not be read; `hasEnded` that the flow is no longer in the table. A socket that several processes
  /// hold belongs to the oldest of them.
  public mutating func settle(
    _ flowEnd: FlowEnd, holders: [UInt64: [ProcessIdentity]], isDenied: Bool, hasEnded: Bool = false
  ) -> AttributedOwner {
    if hasEnded, let former = ownerBeforeSuccessor(flowEnd, holders) { return former }
    var attributed = find(flowEnd, holders, isDenied)
    if flowEnd.isKernels(insteadOf: attributed.owner) { return AttributedOwner(owner: .kernel) }
    if flowEnd.isDoubtful { attributed.certainty.match = .relaxed }
    guard case .process(let process) = attributed.owner else { return attributed }
    let hasChanged = isAnothersNow(flowEnd, holders)
    earlier.remember(
      process, attributed.certainty, of: flowEnd.flow, flowEnd.role, socket: flowEnd.match.onlyInode)
    return hasChanged ? AttributedOwner(owner: .unattributed(.ambiguous)) : attributed
  }

  /// True when the end was another process's, by a socket that is not among those that take its packets now: a
  /// connected socket of a shared port was closed, or a server was started again, and whose these bytes are is not
  /// known.
  private func isAnothersNow(_ flowEnd: FlowEnd, _ holders: [UInt64: [ProcessIdentity]]) -> Bool {
    guard case .bound(let sockets) = flowEnd.match, flowEnd.transport.hasPorts,
      let former = earlier.owner(of: flowEnd.flow, flowEnd.role)
    else { return false }
    return !isHeld(by: former.owner, sockets, holders)
      && !earlier.wasEnd(sockets, of: flowEnd.flow, flowEnd.role)
  }

  /// Who owned the end of a connection that has ended, when the socket with its ends is already that of the next one
  /// there, or may be: where nobody was seen before, it cannot be known which of the two had these bytes. Nil when it
  /// is the same.
  private func ownerBeforeSuccessor(_ flowEnd: FlowEnd, _ holders: [UInt64: [ProcessIdentity]])
    -> AttributedOwner?
  {
    guard case .exact(let socket) = flowEnd.match, flowEnd.transport == .tcp else { return nil }
    guard let former = earlier.owner(of: flowEnd.flow, flowEnd.role) else {
      return AttributedOwner(owner: .unattributed(.ambiguous))
    }
    let isSame =
      isHeld(by: former.owner, [socket], holders) || earlier.wasEnd([socket], of: flowEnd.flow, flowEnd.role)
    return isSame ? nil : former
  }

  /// Remembers whose end of a flow this is, seen while its socket lived.
  public mutating func learn(_ earlyOwner: EarlyOwner, of flow: FlowKey) {
    earlier.remember(
      earlyOwner.process, earlyOwner.certainty, of: flow, earlyOwner.isClient ? .client : .server,
      isOurs: earlyOwner.hasAddress)
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

  /// Forgets all flows but these: ends that the kernel could not report.
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
    _ flowEnd: FlowEnd, _ holders: [UInt64: [ProcessIdentity]], _ isDenied: Bool
  ) -> AttributedOwner {
    var earlier: AttributedOwner? { self.earlier.owner(of: flowEnd.flow, flowEnd.role) }
    switch flowEnd.match {
    case _ where flowEnd.role == .passing: return AttributedOwner(owner: .forwarded)
    case .exact(let socket):
      // Most bytes of most hosts: no list is made for them.
      if let all = holders[socket.inode], let oldest = all.first {
        return AttributedOwner(owner: .process(oldest), certainty: Certainty(isShared: all.count > 1))
      }
      return unheldOwner(isDenied, earlier)
    case .bound(let sockets):
      if let earlier, flowEnd.transport.isICMP, !isHeld(by: earlier.owner, sockets, holders) {
        return earlier
      }
      return holder(of: sockets, holders, earlier) ?? unheldOwner(isDenied, earlier)
    case .listening(let sockets) where flowEnd.role == .server:
      // The accepted socket is not there yet, or no longer: whoever had it, else the only listener.
      if let earlier { return earlier }
      let processes = Set(sockets.flatMap { holders[$0.inode] ?? [] })
      if let only = processes.first, processes.count == 1 {
        return AttributedOwner(owner: .process(only), certainty: Certainty(match: .relaxed))
      }
      return AttributedOwner(
        owner: .unattributed(processes.isEmpty ? (isDenied ? .denied : .noHolder) : .ambiguous))
    case .contested: return AttributedOwner(owner: .unattributed(.ambiguous))
    case .witnessed, .listening, .closing, .none:
      if flowEnd.isSentByDatagrams, case .process(let process) = earlier?.owner, retired.contains(process) {
        return AttributedOwner(owner: flowEnd.ownerWithoutSocket)
      }
      return earlier ?? AttributedOwner(owner: flowEnd.ownerWithoutSocket)
    }
  }

  /// The process that holds all of `sockets`, each by its oldest holder; nil when nobody holds any.
  private func holder(
    of sockets: [SocketEntry], _ holders: [UInt64: [ProcessIdentity]], _ earlier: AttributedOwner?
  ) -> AttributedOwner? {
    var only: ProcessIdentity?
    var isShared = false
    var isHidden = false
    for socket in sockets {
      guard let all = holders[socket.inode], let oldest = all.first else {
        isHidden = true
        continue
      }
      if let only, only != oldest { return AttributedOwner(owner: .unattributed(.ambiguous)) }
      only = oldest
      isShared = isShared || all.count > 1
    }
    guard let only else { return nil }
    // Somebody who cannot be seen may have moved them as well.
    if isHidden { return AttributedOwner(owner: .unattributed(.ambiguous)) }
    // A raw socket sees what others of its protocol send. A port may have had another socket when the flow began,
    // unless this one was seen then.
    let wasSeen = earlier?.owner == .process(only) && earlier?.certainty.match == .exact
    let isExact = sockets.allSatisfy { $0.transport.hasPorts && ($0.remote.port != 0 || wasSeen) }
    return AttributedOwner(
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
  private func unheldOwner(_ isDenied: Bool, _ earlier: AttributedOwner?) -> AttributedOwner {
    earlier ?? AttributedOwner(owner: .unattributed(isDenied ? .denied : .noHolder))
  }
}
