import Model

extension Aggregator {
  /// Adds what a process moved to its application, deciding the application if it is new or runs another program.
  mutating func add(_ reading: borrowing Reading, of identity: ProcessIdentity, isTimed: Bool) {
    guard let index = members.index(of: identity) else {
      insert(reading, of: identity, isTimed: isTimed)
      return
    }
    members.entries[index].lastTick = tick
    if members.entries[index].isLiving, let commandLine = reading.process?.commandLine,
      members.entries[index].process?.commandLine != commandLine
    {
      members.entries[index].process = reading.process
      members.entries[index].application = nil
    }
    if members.entries[index].application != nil, members.entries[index].place != nil,
      applications.add(reading, to: members.entries[index].place, isTimed: isTimed)
    {
      return
    }
    var member = members.entries[index]
    place(&member, identity, reading.process)
    applications.add(reading, to: member.place, isTimed: isTimed)
    members.entries[index] = member
  }

  private mutating func insert(_ reading: borrowing Reading, of identity: ProcessIdentity, isTimed: Bool) {
    var member = Member(process: reading.process, lastTick: tick)
    place(&member, identity, reading.process)
    applications.add(reading, to: member.place, isTimed: isTimed)
    for (identity, member) in members.insert(member, for: identity) {
      applications.leave(identity.pid, from: member.place)
      withoutRoom += 1
    }
  }

  /// Gives a process a place, decides its application first where that is open.
  private mutating func place(
    _ member: inout Member, _ identity: ProcessIdentity, _ process: ProcessDescription?
  ) {
    if member.isLiving { applications.leave(identity.pid, from: member.place) }
    let name = member.application ?? decide(identity, process)
    member.application = name
    member.place = applications.handle(for: name)
    if member.isLiving { applications.join(identity.pid, to: member.place) }
    if member.place == nil, !member.isCountedOut {
      member.isCountedOut = true
      withoutRoom += 1
    }
  }

  private mutating func decide(_ identity: ProcessIdentity, _ process: ProcessDescription?) -> String {
    guard let process else { return "pid \(identity.pid)" }
    let claim = rules.claim(process)
    abandonedSearches += UInt64(claim.abandonedSearches)
    return claim.application
  }
}
