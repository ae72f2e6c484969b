import Model
import SystemRuntime

/// Searches for a descriptor of a socket: where it most likely is, then in all processes.
struct OwnerSearch {
  /// Searches that ended because they may not ask more, since start.
  var cutShort: UInt64 = 0
  private var allowance: SearchAllowance
  private let looks: Int

  private static let closest = 4
  private static let small = 16
  private static let guessed = 64
  private static let listed = 24
  private static let listening = 256
  // Who has more is first searched after all others.
  private static let many = 4_096
  private static let looksBetweenQuestions: UInt64 = 100

  /// May ask the kernel as much as `limits` say.
  init(_ limits: OwnerFinder.Limits, at now: Instant) {
    looks = limits.looks
    allowance = SearchAllowance(capacity: limits.looks, perSecond: limits.looksPerSecond, at: now)
  }

  /// The processes that hold a listener, as far as is known: those that accepted last first, then the youngest.
  func servers(holding listener: UInt64, in observed: inout ObservedProcesses) -> [Int32] {
    let accepted = observed.living.recentOwners
    let holders = observed.holders(of: listener, atMost: Self.listening, first: accepted)
      .sorted(by: >).map(\.pid)
    let recent = accepted.filter(holders.contains)
    return recent + holders.filter { !recent.contains($0) }
  }

  /// Looks for a descriptor of the socket where it most likely is.
  ///
  /// A short-lived program is the newest process, and its socket the lowest free number; a long-lived one is known
  /// from its last connection.
  func near(
    _ inode: UInt64, _ uid: UInt32, in observed: inout ObservedProcesses, _ isUrgent: () -> Bool
  ) -> SocketHolders.Holder? {
    let recentOwners = observed.living.recentOwners
    let newest = Array(observed.living.newestFirst.prefix(Self.guessed))
    // One after the other of the same two: a few looks, before any descriptors are listed.
    for pid in newest.prefix(1) + recentOwners.prefix(Self.closest) {
      if let holder = observed.guess(pid, inode) { return holder }
    }
    for pid in newest.prefix(Self.closest) {
      // A child may have closed what it inherited, and got the number again.
      let isSmall = (observed.living[pid]?.descriptors.count ?? 0) <= Self.small
      if let holder = observed.guess(pid, inode) ?? observed.read(pid, rereads: isSmall, seeking: inode) {
        return holder
      }
    }
    if isUrgent() { return nil }
    for pid in recentOwners.dropFirst(Self.closest) {
      if let holder = observed.guess(pid, inode) { return holder }
    }
    for pid in newest.dropFirst(Self.closest) { if let holder = observed.guess(pid, inode) { return holder } }
    for pid in recentOwners where observed.living[pid]?.user == uid {
      if let holder = observed.read(pid, rereads: false, seeking: inode) { return holder }
    }
    for pid in newest.prefix(Self.listed).dropFirst(Self.closest) {
      if let holder = observed.read(pid, rereads: false, seeking: inode) { return holder }
    }
    return nil
  }

  /// Looks for a descriptor of a socket that was accepted: at all who listen, and their newest children.
  ///
  /// No further: mostly it was closed at once, and a search everywhere would find as little.
  func among(
    _ servers: [Int32], _ inode: UInt64, in observed: inout ObservedProcesses, _ isUrgent: () -> Bool
  ) -> SocketHolders.Holder? {
    for pid in servers { if let holder = observed.guess(pid, inode) { return holder } }
    for pid in Array(observed.living.newestFirst.prefix(Self.closest)) where !servers.contains(pid) {
      if let holder = observed.guess(pid, inode) { return holder }
    }
    for pid in servers.prefix(Self.listed) {
      let isSmall = (observed.living[pid]?.descriptors.count ?? 0) <= Self.small
      if let holder = observed.read(pid, rereads: isSmall, seeking: inode) { return holder }
      if isUrgent() { return nil }
    }
    // Of the others only those that are known to have more or fewer descriptors than before: one question each.
    for pid in servers.prefix(Self.listening).dropFirst(Self.listed) {
      if let count = observed.newCount(pid), count > 0,
        let holder = observed.read(pid, rereads: false, seeking: inode)
      {
        return holder
      }
      if isUrgent() { return nil }
    }
    return nil
  }

  /// Looks for a descriptor of the socket in all processes, those that started last first: in those that have more
  /// or fewer descriptors than before, with many descriptors after all others, whose turn they would use up; then in
  /// all, the socket's user's first, for a number that was closed and given again.
  mutating func everywhere(
    _ inode: UInt64, _ uid: UInt32, in observed: inout ObservedProcesses, _ listing: inout ProcessListing,
    at now: Instant, while isWorthwhile: () -> Bool
  ) -> SocketHolders.Holder? {
    let start = observed.files.looks
    let end = start + UInt64(max(0, min(looks, allowance.available(at: now))))
    defer { allowance.spend(Int(observed.files.looks - start)) }
    if !observed.endsAreReported && end > start { listing.list(into: &observed) }
    var nextQuestion = start
    func goesOn() -> Bool {
      if observed.files.looks >= end {
        cutShort += 1
        return false
      }
      guard observed.files.looks >= nextQuestion else { return true }
      nextQuestion = observed.files.looks + Self.looksBetweenQuestions
      return isWorthwhile()
    }
    var (users, others, large): ([Int32], [Int32], [Int32]) = ([], [], [])
    for pid in Array(observed.living.newestFirst) {
      guard goesOn() else { return nil }
      let count = observed.newCount(pid)
      if max(Int(count ?? 0), observed.living[pid]?.descriptors.count ?? 0) > Self.many {
        large.append(pid)
        continue
      }
      if count != nil, let holder = observed.read(pid, rereads: false, seeking: inode) { return holder }
      if observed.living[pid]?.user == uid { users.append(pid) } else { others.append(pid) }
    }
    for pid in large {
      guard goesOn() else { return nil }
      if observed.newCount(pid) != nil, let holder = observed.read(pid, rereads: false, seeking: inode) {
        return holder
      }
      if observed.living[pid]?.user == uid { users.append(pid) } else { others.append(pid) }
    }
    for pid in users + others {
      guard goesOn() else { return nil }
      if let holder = observed.read(pid, rereads: true, seeking: inode) { return holder }
    }
    return nil
  }
}
