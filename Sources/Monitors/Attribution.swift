import Kernel
import Model

/// Says whose bytes a flow's bytes are.
///
/// `claims` finds the sockets that fit, without knowing any process; `settle` turns the processes that hold
/// them into owners. Both work on values: a scenario is a table.
public struct Attribution: Sendable {
  /// A process as it was last seen at one end of a flow, for the bytes that come after its socket is closed.
  private struct End: Hashable {
    var flow: FlowKey
    var role: Claim.Role
  }

  private var remembered: [End: ProcessIdentity] = [:]
  private var unheld: Set<UInt64> = []

  /// Makes an attribution that remembers nothing.
  public init() {}

  /// Returns one claim for each end of a flow on this host, or one for a flow that only passes through.
  ///
  /// The client's end is looked up by the original tuple, the server's by the reply tuple: whatever address
  /// translation does, these are the addresses that the sockets have.
  public func claims(
    of deltas: [FlowDelta], in flows: [Flow], sockets: SocketIndex, local: LocalAddresses
  ) -> [Claim] {
    var claims: [Claim] = []
    claims.reserveCapacity(deltas.count)
    for delta in deltas {
      let flow = flows[delta.index]
      let transport = flow.original.transport
      let client = sockets.match(transport, local: flow.original.source, remote: flow.original.destination)
      // The kernel answers ICMP; a ping socket here would fit by its identifier alone.
      let server =
        transport.isICMP
        ? .none : sockets.match(transport, local: flow.reply.source, remote: flow.reply.destination)
      let isClientLocal = local.contains(flow.original.source.address) || client.provesLocality
      // What this host sends to a group or to all is not thereby addressed to itself.
      let isServerLocal =
        server.provesLocality
        || (isClientLocal
          ? local.contains(flow.reply.source.address) : local.receives(flow.reply.source.address))
      let isLocal = isClientLocal && isServerLocal
      let usage = Usage(received: delta.reply, sent: delta.original)
      if isClientLocal {
        claims.append(
          Claim(
            flow: delta.key, role: .client, transport: transport, usage: usage, isLocal: isLocal,
            match: client))
      }
      if isServerLocal {
        claims.append(
          Claim(
            flow: delta.key, role: .server, transport: transport, usage: usage.reversed, isLocal: isLocal,
            match: server))
      }
      if !isClientLocal && !isServerLocal {
        // It came in once and left once.
        claims.append(
          Claim(
            flow: delta.key, role: .passing, transport: transport, usage: usage + usage.reversed,
            isLocal: false, match: .none))
      }
    }
    return claims
  }

  /// Returns the owner of each claim, in their order.
  ///
  /// `holders` has the processes that hold the sockets' inodes, the oldest first; `isDenied` says that some
  /// processes could not be read. A socket that several processes hold belongs to the oldest of them.
  public mutating func settle(
    _ claims: [Claim], holders: [UInt64: [ProcessIdentity]], isDenied: Bool
  ) -> [Owner] {
    var unheldNow: Set<UInt64> = []
    let owners = claims.map { claim -> Owner in
      let owner = owner(of: claim, holders, isDenied, &unheldNow)
      if case .process(let process) = owner { remembered[End(flow: claim.flow, role: claim.role)] = process }
      return owner
    }
    unheld = unheldNow
    return owners
  }

  /// Forgets flows that are no longer in the table.
  public mutating func forget(_ gone: [FlowKey]) {
    for flow in gone {
      remembered[End(flow: flow, role: .client)] = nil
      remembered[End(flow: flow, role: .server)] = nil
    }
  }

  private func owner(
    of claim: Claim, _ holders: [UInt64: [ProcessIdentity]], _ isDenied: Bool, _ unheldNow: inout Set<UInt64>
  ) -> Owner {
    var earlier: Owner? { remembered[End(flow: claim.flow, role: claim.role)].map(Owner.process) }
    switch claim.match {
    case _ where claim.role == .passing: return .forwarded
    case .exact(let socket):
      // Most bytes of most hosts: no list is made for them.
      if let oldest = holders[socket.inode]?.first { return .process(oldest) }
      return holder(of: [socket], holders, isDenied, &unheldNow)
    case .bound(let sockets):
      return holder(of: sockets, holders, isDenied, &unheldNow)
    case .listening(let sockets) where claim.role == .server:
      // The accepted socket is not there yet, or no longer: whoever had it, else the only listener.
      let processes = Set(sockets.flatMap { holders[$0.inode] ?? [] })
      if let earlier { return earlier }
      if let only = processes.first, processes.count == 1 { return .process(only) }
      return .unattributed(processes.isEmpty ? (isDenied ? .denied : .exited) : .ambiguous)
    case .listening, .closing, .none:
      return earlier ?? claim.ownerWithoutSocket
    }
  }

  private func holder(
    of sockets: [SocketEntry], _ holders: [UInt64: [ProcessIdentity]], _ isDenied: Bool,
    _ unheldNow: inout Set<UInt64>
  ) -> Owner {
    var only: ProcessIdentity?
    for socket in sockets {
      guard let oldest = holders[socket.inode]?.first else { continue }
      if let only, only != oldest { return .unattributed(.ambiguous) }
      only = oldest
    }
    if let only { return .process(only) }
    if isDenied { return .unattributed(.denied) }
    let inodes = sockets.map(\.inode)
    unheldNow.formUnion(inodes)
    // Once may be a process that ended while we looked; a socket that lives on without one is the kernel's.
    return inodes.allSatisfy(unheld.contains) ? .kernel : .unattributed(.exited)
  }
}
