import Model
import Netfilter

extension Attribution {
  /// Returns a flow end for each end of a flow on this host, or one for a flow that only passes through.
  ///
  /// The client's end is looked up by the original tuple, the server's by the reply tuple: whatever address
  /// translation does, these are the addresses that the sockets have. An end that is not in this network
  /// namespace may be in another: in `namespaces`. Each says which of the interfaces of `paths` it passed.
  public func ends(
    of deltas: [FlowDelta], in flows: [Flow], sockets: SocketIndex, local: LocalAddresses,
    namespaces: NamespaceIndex = NamespaceIndex(), carriers: TunnelCarriers = TunnelCarriers(),
    witness: WitnessIndex = WitnessIndex(), paths: PathInterfaces = .none
  ) -> [FlowEnd] {
    var ends: [FlowEnd] = []
    // Over loopback each flow has two.
    ends.reserveCapacity(2 * deltas.count)
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
      let mayCarryTunnel = carriers.mayCarry(
        flow, transport, client: isClientOurs ? client : nil, server: isServerOurs ? server : nil)
      let usage = delta.usage
      let isLoopback = isClientOurs && isServerOurs
      let carried = delta.carried(isClientHere: isClientOurs, isServerHere: isServerOurs)
      if let client {
        ends.append(
          FlowEnd(
            flow: delta.key, usage: usage, carried: carried, role: .client, transport: transport,
            isLocal: server != nil, match: client,
            isDoubtful: !isClientOurs && !namespaces.isComplete && !client.isWitnessed,
            isLagging: flow.isOffloaded, mayCarryTunnel: mayCarryTunnel,
            isUnused: isClientOurs && witness.isComplete && !client.isWitnessed,
            interface: paths.interface(of: flow, .client, isLoopback: isLoopback)))
      }
      if let server {
        ends.append(
          FlowEnd(
            flow: delta.key, usage: usage.reversed, carried: client == nil ? carried : .zero, role: .server,
            transport: transport, isLocal: client != nil, match: server,
            isDoubtful: !isServerOurs && !namespaces.isComplete && !server.isWitnessed,
            isLagging: flow.isOffloaded, mayCarryTunnel: mayCarryTunnel,
            isUnused: isServerOurs && witness.isComplete && !server.isWitnessed,
            interface: paths.interface(of: flow, .server, isLoopback: isLoopback)))
      }
      if client == nil && server == nil {
        // It came in once and left once.
        let (front, back) = paths.sides(of: flow)
        let passing = FlowEnd(
          flow: delta.key, usage: usage + usage.reversed, carried: carried, role: .passing,
          transport: transport, isLocal: false, match: .none)
        if front == 0 && back == 0 {
          ends.append(passing)
        } else {
          ends += passing.divided(front: (usage, front), back: (usage.reversed, back))
        }
      }
    }
    return ends
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
    _ flow: FlowKey, _ role: FlowEnd.Role, _ tuple: FlowTuple, _ namespaces: NamespaceIndex, isPeerOurs: Bool
  ) -> SocketIndex.Match? {
    var match = namespaces.match(tuple.transport, local: tuple.source, remote: tuple.destination)
    // The kernel answers ICMP there as here.
    if match != nil, role == .server, tuple.transport.isICMP { match = SocketIndex.Match.none }
    if let match, match != SocketIndex.Match.none || !isPeerOurs { return match }
    return earlier.isOurs(flow, role) ? SocketIndex.Match.none : nil
  }
}
