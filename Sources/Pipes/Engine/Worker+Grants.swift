import Model

extension Worker {
  /// How much may be taken now; nil when it has to wait for a grant.
  func allowance(_ half: HalfConnection, _ connection: Connection) -> Int? {
    guard half.lane.isLimited else { return .max }
    if half.grantEpoch != half.lane.epoch { half.grant = 0 }
    if half.grant > 0 { return half.grant }
    if !half.waitsForGrant {
      half.waitsForGrant = true
      half.lane.request(ticket(of: half, connection), turn: half.turn, at: now)
      shaped[ObjectIdentifier(half.lane), default: Waiting(lane: half.lane)].count += 1
      if nextGrants == nil { nextGrants = now + Shaper.tick }
    }
    return nil
  }

  /// Gives up the place in the queue of a half connection that has gone.
  func leaveQueue(_ half: HalfConnection, _ connection: Connection) {
    guard half.waitsForGrant, half.lane.cancel(ticket(of: half, connection)) else { return }
    tookFromQueue(1, ObjectIdentifier(half.lane))
  }

  /// What a direction is known by in queues.
  func ticket(of half: HalfConnection, _ connection: Connection) -> Shaper.Ticket {
    let kind = half.lane.direction == .received ? Token.Kind.client : .attempt(0)
    return Shaper.Ticket(worker: index, token: connection.token.with(kind).raw)
  }

  private func tookFromQueue(_ count: Int, _ lane: ObjectIdentifier) {
    shaped[lane]?.count -= count
    if shaped[lane]?.count == 0 { shaped[lane] = nil }
  }

  /// Gives each lane's connections what they may move now.
  func handOutGrants() {
    guard let due = nextGrants, due <= now else { return }
    nextGrants = nil
    for (id, waiting) in shaped {
      let grants = waiting.lane.grants(for: index, at: now)
      tookFromQueue(grants.count, id)
      for grant in grants { use(grant, of: waiting.lane) }
    }
    // A late tick is followed by one in time: the bucket has kept what flowed meanwhile.
    nextGrants = shaped.isEmpty ? nil : max(due + Shaper.tick, now)
  }

  private func use(_ grant: Shaper.Grant, of lane: DirectionLimiter) {
    let token = Token(grant.ticket.token)
    guard let connection = connection(token), case .open(let received, let sent) = connection.phase else {
      return lane.giveBack(grant.bytes)
    }
    let half = lane.direction == .received ? received : sent
    half.waitsForGrant = false
    half.grant = grant.bytes
    half.grantEpoch = grant.epoch
    half.turn = grant.turn
    move(connection)
  }
}
