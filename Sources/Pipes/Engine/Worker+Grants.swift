import Model

extension Worker {
  /// How much may be taken now; nil when it has to wait for a grant.
  func allowance(_ half: HalfConnection, _ connection: Connection) -> Int? {
    guard half.limiter.isLimited else { return .max }
    if half.grantEpoch != half.limiter.epoch { half.grant = 0 }
    if half.grant > 0 { return half.grant }
    if !half.waitsForGrant {
      half.waitsForGrant = true
      half.limiter.request(ticket(of: half, connection), turn: half.turn, at: now)
      shaped[ObjectIdentifier(half.limiter), default: Waiting(limiter: half.limiter)].count += 1
      if nextGrants == nil { nextGrants = now + Shaper.tick }
    }
    return nil
  }

  /// Gives up the place in the queue of a half connection that has gone.
  func leaveQueue(_ half: HalfConnection, _ connection: Connection) {
    guard half.waitsForGrant, half.limiter.cancel(ticket(of: half, connection)) else { return }
    tookFromQueue(1, ObjectIdentifier(half.limiter))
  }

  /// What a direction is known by in queues.
  func ticket(of half: HalfConnection, _ connection: Connection) -> Shaper.Ticket {
    let kind = half.limiter.direction == .received ? Token.Kind.client : .attempt(0)
    return Shaper.Ticket(worker: index, token: connection.token.with(kind).raw)
  }

  private func tookFromQueue(_ count: Int, _ limiter: ObjectIdentifier) {
    shaped[limiter]?.count -= count
    if shaped[limiter]?.count == 0 { shaped[limiter] = nil }
  }

  /// Gives each limiter's connections what they may move now.
  func handOutGrants() {
    guard let due = nextGrants, due <= now else { return }
    nextGrants = nil
    for (id, waiting) in shaped {
      let grants = waiting.limiter.grants(for: index, at: now)
      tookFromQueue(grants.count, id)
      for grant in grants { use(grant, of: waiting.limiter) }
    }
    // A late tick is followed by one in time: the bucket has kept what flowed meanwhile.
    nextGrants = shaped.isEmpty ? nil : max(due + Shaper.tick, now)
  }

  private func use(_ grant: Shaper.Grant, of limiter: DirectionLimiter) {
    let token = Token(grant.ticket.token)
    guard let connection = connection(token), case .open(let received, let sent) = connection.phase else {
      return limiter.giveBack(grant.bytes)
    }
    let half = limiter.direction == .received ? received : sent
    half.waitsForGrant = false
    half.grant = grant.bytes
    half.grantEpoch = grant.epoch
    half.turn = grant.turn
    move(connection)
  }
}
