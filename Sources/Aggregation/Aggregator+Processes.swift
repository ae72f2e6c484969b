import Model

extension Aggregator {
  /// Adds what a process moved to its application, deciding the application if it is new or runs another program.
  mutating func add(
    _ usage: Usage, of identity: ProcessIdentity, _ process: ProcessDescription?, _ isTimed: Bool
  ) {
    if let index = members.index(of: identity) {
      members[index].lastTick = tick
      if let process, members[index].isLiving, members[index].process?.commandLine != process.commandLine {
        members[index].process = process
        members[index].application = nil
      }
      if members[index].application != nil, members[index].place != nil,
        applications.add(usage, to: members[index].place, isTimed: isTimed)
      {
        return
      }
      var member = members[index]
      place(&member, identity, process)
      applications.add(usage, to: member.place, isTimed: isTimed)
      members[index] = member
      return
    }
    var member = Member(process: process, lastTick: tick)
    place(&member, identity, process)
    applications.add(usage, to: member.place, isTimed: isTimed)
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
