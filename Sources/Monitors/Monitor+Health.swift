import Kernel
import Model

/// How well the measurement went.
extension Monitor {
  /// What was seen, and what did not fit or could not be read, since start.
  func health() -> Health {
    var health = Health()
    health.flows = snapshot.livingCount + (snapshot.closedCount ?? 0)
    for flow in snapshot.flows.prefix(snapshot.livingCount) {
      if !flow.isCounted { health.uncounted += 1 }
      if flow.isOffloaded { health.offloaded += 1 }
    }
    let condition = table.condition
    health.missedEvents = condition.missedEvents
    health.unheardEnds = condition.hearsEnds ? accounting.unheardEnds : 0
    health.counterResets = accounting.counterResets
    health.interruptedDumps = condition.interrupted
    health.malformed = condition.malformed + sockets.malformed
    health.vanished = processes.vanished
    health.denied = max(processes.denied, condition.denied)
    health.failedReads = processes.failed + unread
    health.dropped =
      sockets.dropped + processes.dropped + processes.notRemembered + processes.truncated + condition.unseen
    health.namespaces = namespaces?.answering ?? 0
    health.unreadNamespaces = namespaces?.unread ?? 0
    health.vanished += namespaces?.vanished ?? 0
    health.malformed += namespaces?.malformed ?? 0
    health.malformed += interfaces?.malformed ?? 0
    health.dropped += interfaces?.dropped ?? 0
    health.dropped += senders.dropped
    health.dropped += namespaces?.dropped ?? 0
    if let condition = witness?.condition {
      health.dropped += condition.unseen
      health.malformed += condition.malformed
    }
    health.abandonedSearches = accounting.abandonedSearches
    return health
  }

  /// What makes the numbers less than they could be.
  func conditions(_ health: Health) -> Conditions {
    Conditions(
      state: state.state, flows: health.flows, uncounted: health.uncounted, isWitnessed: witness != nil,
      hasPayload: !payload.isZero,
      isOffloaded: snapshot.flows.contains(where: \.isOffloaded), denied: processes.deniedProcesses(),
      unreadNamespaces: health.unreadNamespaces, counterResets: health.counterResets, naming: naming,
      untracked: untrackedTime, interfaces: interfaces?.failure, events: table.condition.eventFailure)
  }
}
