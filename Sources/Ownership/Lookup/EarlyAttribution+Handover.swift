import Model
import Netfilter

extension EarlyAttribution {
  /// Looks whether a socket that was accepted is still with who was seen with it: inetd and its like give it to a child and
  /// close it. Costs one look at a descriptor while it is.
  mutating func lookForHandover(
    _ seen: LookupRetries.Seen, _ retry: LookupRetries.Retry, at now: Instant,
    _ report: (EarlyOwner, ProcessDescription?) -> Void, _ isUrgent: () -> Bool
  ) {
    // A child that lives is known by now, not only when it is asked for: it may have ended then.
    finder.addStarted()
    let holding = finder.holding(of: seen.inode)
    if let holding, holding.owner == seen.holding.owner {
      var seen = seen
      if holding.isShared, !seen.holding.isShared {
        seen.holding = holding
        report(earlyOwner(seen, retry.flow, Certainty(isShared: true)), nil)
      }
      return retries.add(seen, of: retry.flow, attempts: retry.attempts, at: now)
    }
    if sockets.held(retry.flow.reply, at: now)?.socket.inode == seen.inode {
      look(
        retry.flow, isClient: false, attempts: LookupRetries.delays.count, at: now, report, isUrgent)
    } else if finder.observed.living.hasForked(seen.holding.owner, since: seen.turn) {
      // It is closed, and a child of who had it may have moved all of it.
      report(earlyOwner(seen, retry.flow, Certainty(match: .relaxed, isShared: true)), nil)
    }
  }

  private func earlyOwner(_ seen: LookupRetries.Seen, _ flow: Flow, _ certainty: Certainty) -> EarlyOwner {
    EarlyOwner(
      flow: flow.identity, isClient: false, process: seen.holding.owner, certainty: certainty,
      hasAddress: seen.hasAddress)
  }
}
