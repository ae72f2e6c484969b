import Model

/// What a slot's numbers mean, by tier.
extension WitnessLedger {
  /// TCP's own counts are of the whole socket.
  func countsBySocket(_ key: UInt64) -> Bool {
    tier == .packets && sockets[key]?.entry?.transport == .tcp
  }

  /// Counts by call: what came to the use at `position`.
  mutating func advance(_ position: Int, _ slot: WitnessSlot) -> Usage? {
    let use = uses[position]
    var total = Usage(received: slot.received &+ use.spliced, sent: slot.sent)
    // splice(2) and others take without a call that is counted.
    if let socket = sockets[use.key], !socket.isShared, socket.entry?.transport == .tcp,
      slot.consumed > socket.base.received
    {
      total.received = max(total.received, slot.consumed - socket.base.received)
    }
    total.received = max(total.received, use.told.received)
    let usage = total - use.told
    uses[position].told = total
    return usage.isZero ? nil : usage
  }

  /// Another process has come to the socket of the use at `position`.
  mutating func fixSpliced(_ position: Int) {
    let use = uses[position]
    uses[position].spliced =
      tier == .calls ? use.told.received - min(use.last.received, use.told.received) : 0
  }

  /// Counts by socket: each user gets what passed up to when it used the socket, after whoever did before it.
  mutating func share(
    _ key: UInt64, _ users: [(position: Int, slot: WitnessSlot)], _ movements: inout [Movement]
  ) {
    guard var socket = sockets[key] else { return }
    var usages: [Int: Usage] = [:]
    for (position, slot) in users.sorted(by: { $0.slot.consumed < $1.slot.consumed })
    where slot.consumed > socket.base.received {
      usages[position, default: .zero].received = slot.consumed - socket.base.received
      socket.base.received = slot.consumed
    }
    for (position, slot) in users.sorted(by: { $0.slot.transmitted < $1.slot.transmitted })
    where slot.transmitted > socket.base.sent {
      usages[position, default: .zero].sent = slot.transmitted - socket.base.sent
      socket.base.sent = slot.transmitted
    }
    sockets[key] = socket
    for (position, usage) in usages {
      movements.append(Movement(socket: key, user: uses[position].user, usage: usage))
    }
  }
}
