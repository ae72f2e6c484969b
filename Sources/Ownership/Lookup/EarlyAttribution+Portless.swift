import Model
import Netfilter

extension EarlyAttribution {
  /// With more raw sockets than this nobody will be the only one; they are not all asked for.
  private static let rawLimit = 8

  /// Looks whose the first packet of a flow without ports was: the process with the ping socket, else the only one
  /// with raw sockets that fit. The kernel answers such packets itself.
  mutating func lookPortless(
    _ flow: Flow, attempts: Int, at now: Instant,
    _ report: (EarlyOwner, ProcessDescription?) -> Void, _ isUrgent: () -> Bool
  ) {
    let match = portless.match(flow.original, at: now)
    var owner: ProcessIdentity?
    var isShared = false
    var hasAddress = true
    for socket in match.sockets.prefix(Self.rawLimit) {
      var holding = finder.owner(ofInode: socket.inode, uid: socket.uid)
      if holding == nil, attempts > 0 {
        holding = finder.owner(ofInode: socket.inode, uid: socket.uid, at: now) { !isUrgent() }
      }
      guard let holding else {
        retries.add(flow, isClient: true, attempts: attempts, at: now)
        return
      }
      if let owner, owner != holding.owner { return }
      owner = holding.owner
      isShared = isShared || holding.isShared
      hasAddress = hasAddress && !socket.local.address.isUnspecified
    }
    guard let owner, match.sockets.count <= Self.rawLimit else { return }
    let certainty: Certainty.Match = if case .ping = match { .exact } else { .relaxed }
    report(
      EarlyOwner(
        flow: flow.identity, isClient: true, process: owner,
        certainty: Certainty(match: certainty, isShared: isShared), hasAddress: hasAddress),
      finder.description(of: owner))
  }
}
