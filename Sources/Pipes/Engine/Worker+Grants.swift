import Model

extension Worker {
  /// How much may be taken now; nil when it has to wait for a grant.
  func allowance(_ half: HalfConnection, _ connection: Connection) -> Int? {
    guard half.lane.isLimited else { return .max }
    if half.grantEpoch != half.lane.epoch { half.grant = 0 }
    if half.grant > 0 { return half.grant }
    if !half.waitsForGrant {
      half.waitsForGrant = true
      var ticket = connection.token
      ticket.kind = half.lane.direction == .received ? .client : .attempt(0)
      half.lane.request(Shaper.Ticket(worker: index, token: ticket.raw), turn: half.turn, at: now)
      shaped[ObjectIdentifier(half.lane), default: Waiting(lane: half.lane)].count += 1
      if nextGrants == nil { nextGrants = now + Shaper.tick }
    }
    return nil
  }

  /// Gives each lane's connections what they may move now.
  func handOutGrants() {
    guard let due = nextGrants, due <= now else { return }
    nextGrants = nil
    for (id, waiting) in shaped {
      let grants = waiting.lane.grants(for: index, at: now)
      shaped[id]?.count -= grants.count
      if shaped[id]?.count == 0 { shaped[id] = nil }
      for grant in grants { use(grant, of: waiting.lane) }
    }
    // A late tick is followed by one in time: the bucket has kept what flowed meanwhile.
    nextGrants = shaped.isEmpty ? nil : max(due + Shaper.tick, now)
  }

  private func use(_ grant: Shaper.Grant, of lane: Lane) {
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
