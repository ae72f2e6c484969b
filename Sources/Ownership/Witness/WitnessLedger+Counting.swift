import Model
import Netfilter

/// What the slots' numbers mean, by tier.
extension WitnessLedger {
  /// Reports who moved how much since the last call, and who was seen to use a socket since then. A use waits for the
  /// record of its socket.
  mutating func tell(_ body: (Movement) -> Void) {
    for movement in left { body(movement) }
    left = []
    for position in uses.indices where uses[position].isPending {
      guard let movement = Self.movement(of: uses[position], sockets) else { continue }
      body(movement)
      uses[position].markReported()
    }
  }

  /// Counts what was moved until `now`; `contents` reads a slot.
  mutating func settle(at now: Instant, contents: (Int) -> WitnessSlot) -> Slots {
    processes.settle(at: now)
    let time = nanoseconds(now)
    settlements += 1
    let rest = allowedRest
    var slots = Slots()
    var shares: [Int: [(position: Int, slot: WitnessSlot)]] = [:]
    var done: [Int] = []
    let hasExits = processes.hasExits
    for position in uses.indices {
      let isRetired = uses[position].isRetired
      let isFree =
        isRetired && (uses[position].retiredBy <= cleared || time - uses[position].changed >= Self.graceTime)
      if isRetired && !isFree { continue }
      let slot = contents(Int(uses[position].slot))
      guard isRetired || slot.isOf(uses[position].key, uses[position].user) else {
        mismatches += 1
        done.append(position)
        continue
      }
      if slot.sum != uses[position].sum {
        count(slot, position, &shares)
        uses[position].sum = slot.sum
        uses[position].received = slot.received
        if !isRetired { uses[position].changed = time }
      }
      sockets[Int(uses[position].socket)].isEnded = slot.isEnded
      if isFree {
        slots.freed.append(Int(uses[position].slot))
        done.append(position)
      } else if slot.isEnded || rest.map({ time - uses[position].changed >= $0 }) ?? false
        || hasExits && time - uses[position].changed >= Self.afterEndTime
          && processes.hasExited(uses[position].user)
      {
        uses[position].isRetired = true
        uses[position].retiredBy = settlements
        retirement = settlements
        uses[position].changed = time
        slots.retired.append(Int(uses[position].slot))
      }
    }
    for users in shares.values { share(users) }
    for position in done.reversed() { remove(position) }
    giveUp(at: time)
    return slots
  }

  /// How long a slot may rest while its socket is not known to have ended; nil for ever.
  private var allowedRest: Int64? {
    if uses.count > positions.count / 4 * 3 { return Self.rests.most.nanoseconds }
    return uses.count > positions.count / 2 ? Self.rests.half.nanoseconds : nil
  }

  /// Takes the numbers of the use at `position`, or keeps them in `shares` where they are of a socket with several.
  private mutating func count(
    _ slot: WitnessSlot, _ position: Int, _ shares: inout [Int: [(position: Int, slot: WitnessSlot)]]
  ) {
    let place = Int(uses[position].socket)
    // What the numbers mean is known once the socket is.
    guard let entry = sockets[place].entry else { return }
    if tier == .calls || entry.transport != .tcp {
      advance(position, slot)
    } else if sockets[place].isShared {
      shares[place, default: []].append((position, slot))
    } else {
      receive(slot, position)
      send(slot, position)
    }
  }

  /// Counts by call: what came to the use at `position`.
  private mutating func advance(_ position: Int, _ slot: WitnessSlot) {
    let use = uses[position]
    let socket = sockets[Int(use.socket)]
    var total = Usage(received: slot.received &+ use.spliced, sent: slot.sent)
    // splice(2) and others take without a call that is counted.
    if !socket.isShared, socket.entry?.transport == .tcp, slot.consumed > socket.base.received {
      total.received = max(total.received, slot.consumed - socket.base.received)
    }
    total.received = max(total.received, use.total.received)
    uses[position].total = total
  }

  /// Another use of the socket begins beside the one at `position`.
  mutating func fixSpliced(_ position: Int) {
    let use = uses[position]
    uses[position].spliced = tier == .calls ? use.total.received - min(use.received, use.total.received) : 0
  }

  /// Counts by socket: each use gets what passed up to when it was last made, after whatever was made before it.
  private mutating func share(_ users: [(position: Int, slot: WitnessSlot)]) {
    for (position, slot) in users.sorted(by: { $0.slot.consumed < $1.slot.consumed }) {
      receive(slot, position)
    }
    for (position, slot) in users.sorted(by: { $0.slot.transmitted < $1.slot.transmitted }) {
      send(slot, position)
    }
  }

  private mutating func receive(_ slot: WitnessSlot, _ position: Int) {
    let place = Int(uses[position].socket)
    let base = sockets[place].base.received
    guard slot.consumed > base else { return }
    uses[position].total.received += slot.consumed - base
    sockets[place].base.received = slot.consumed
  }

  private mutating func send(_ slot: WitnessSlot, _ position: Int) {
    let place = Int(uses[position].socket)
    let base = sockets[place].base.sent
    guard slot.transmitted > base else { return }
    uses[position].total.sent += slot.transmitted - base
    sockets[place].base.sent = slot.transmitted
  }

  static let graceTime = grace.nanoseconds
  private static let afterEndTime = afterEnd.nanoseconds
}

extension WitnessSlot {
  fileprivate func isOf(_ key: UInt64, _ user: WitnessUser) -> Bool {
    socket == key && start == user.start && process == UInt32(user.pid)
  }

  /// Changes whenever one of its numbers does.
  fileprivate var sum: UInt64 { sent &+ received &+ transmitted &+ consumed }
}
