import Model
import Netfilter

/// What is found where records were lost.
extension WitnessLedger {
  /// Looks at all slots below a number, where records were lost: takes over those of which nothing was reported, and returns those to
  /// free that nobody has owned for as long as a program may take to write into one that it has claimed.
  mutating func sweep(
    at now: Instant, below count: Int? = nil, contents: (Int) -> WitnessSlot
  ) -> Slots {
    let time = nanoseconds(now)
    var slots = Slots()
    var found: [Int: Int64] = [:]
    for slot in positions.indices.prefix(count ?? .max) where positions[slot] < 0 {
      let content = contents(slot)
      guard content.claims > 0 else { continue }
      if content.socket != 0, let user = WitnessUser(content.process, content.start) {
        _ = add(slot, user, content.socket, at: time)
        continue
      }
      let since = suspects[slot] ?? time
      if time - since >= Self.graceTime { slots.freed.append(slot) } else { found[slot] = since }
    }
    suspects = found
    return slots
  }

  /// Gives up the payload of uses whose socket was not reported for `wait` since they moved it: the next use of the
  /// socket reports it, and there may be none.
  mutating func giveUp(at time: Int64) {
    for position in uses.indices where uses[position].isPending {
      let use = uses[position]
      guard sockets[Int(use.socket)].entry == nil, time - use.changed >= Self.waitTime else { continue }
      unaccounted += 1
      uses[position].markReported()
    }
  }

  private static let waitTime = wait.nanoseconds
}
