import Model
import SystemPackage

extension OwnerFinder {
  private static let closest = 4
  private static let small = 16
  private static let guessed = 64
  private static let listed = 24
  // Who has more is first searched after all others.
  private static let many = 4_096
  private static let looksBetweenQuestions: UInt64 = 100

  /// Looks for a descriptor of the socket where it most likely is.
  ///
  /// A short-lived program is the newest process, and its socket the lowest free number; a long-lived one is known
  /// from its last connection.
  mutating func searchNear(_ inode: UInt64, _ uid: UInt32, _ isUrgent: () -> Bool) -> SocketHolders.Holder? {
    if eventDescriptor == nil { addStarted() }
    let newest = Array(living.newestFirst.prefix(Self.guessed))
    // One after the other of the same two: a few looks, before any descriptors are listed.
    for pid in newest.prefix(1) + recentOwners.prefix(Self.closest) {
      if let holder = guess(pid, inode) { return holder }
    }
    for pid in newest.prefix(Self.closest) {
      // A child may have closed what it inherited, and got the number again.
      let isSmall = (living[pid]?.descriptors.count ?? 0) <= Self.small
      if let holder = guess(pid, inode) ?? read(pid, rereads: isSmall, seeking: inode) { return holder }
    }
    if isUrgent() { return nil }
    for pid in recentOwners.dropFirst(Self.closest) { if let holder = guess(pid, inode) { return holder } }
    for pid in newest.dropFirst(Self.closest) { if let holder = guess(pid, inode) { return holder } }
    for pid in recentOwners where living[pid]?.user == uid {
      if let holder = read(pid, rereads: false, seeking: inode) { return holder }
    }
    for pid in newest.prefix(Self.listed).dropFirst(Self.closest) {
      if let holder = read(pid, rereads: false, seeking: inode) { return holder }
    }
    return nil
  }

  /// Looks for a descriptor of a socket that was accepted: at all who listen, and their newest children.
  ///
  /// No further: mostly it was closed at once, and a search everywhere would find as little.
  mutating func searchServers(
    _ servers: [Int32], _ inode: UInt64, _ isUrgent: () -> Bool
  ) -> SocketHolders.Holder? {
    hear()
    if eventDescriptor == nil { addStarted() }
    for pid in servers { if let holder = guess(pid, inode) { return holder } }
    for pid in Array(living.newestFirst.prefix(Self.closest)) where !servers.contains(pid) {
      if let holder = guess(pid, inode) { return holder }
    }
    for pid in servers.prefix(Self.listed) {
      let isSmall = (living[pid]?.descriptors.count ?? 0) <= Self.small
      if let holder = read(pid, rereads: isSmall, seeking: inode) { return holder }
      if isUrgent() { return nil }
    }
    return nil
  }

  /// Looks for a descriptor of the socket in all processes, those that started last first: in those that have more
  /// or fewer descriptors than before, with many descriptors after all others, whose turn they would use up; then in
  /// all, the socket's user's first, for a number that was closed and given anew.
  mutating func searchAll(
    _ inode: UInt64, _ uid: UInt32, at now: ContinuousClock.Instant, while isWorthwhile: () -> Bool
  ) -> SocketHolders.Holder? {
    let start = files.looks
    let end = start + UInt64(max(0, min(limits.looks, allowance.available(at: now))))
    defer { allowance.spend(Int(files.looks - start)) }
    if eventDescriptor == nil && end > start { relist() }
    var nextQuestion = start
    func goesOn() -> Bool {
      if files.looks >= end {
        counters.cutShort += 1
        return false
      }
      guard files.looks >= nextQuestion else { return true }
      nextQuestion = files.looks + Self.looksBetweenQuestions
      return isWorthwhile()
    }
    var (users, others, large): ([Int32], [Int32], [Int32]) = ([], [], [])
    for pid in Array(living.newestFirst) {
      guard goesOn() else { return nil }
      let count = newCount(pid)
      if max(Int(count ?? 0), living[pid]?.descriptors.count ?? 0) > Self.many {
        large.append(pid)
        continue
      }
      if count != nil, let holder = read(pid, rereads: false, seeking: inode) { return holder }
      if living[pid]?.user == uid { users.append(pid) } else { others.append(pid) }
    }
    for pid in large {
      guard goesOn() else { return nil }
      if newCount(pid) != nil, let holder = read(pid, rereads: false, seeking: inode) { return holder }
      if living[pid]?.user == uid { users.append(pid) } else { others.append(pid) }
    }
    for pid in users + others {
      guard goesOn() else { return nil }
      if let holder = read(pid, rereads: true, seeking: inode) { return holder }
    }
    return nil
  }

  /// Looks behind the numbers that a new socket of a process most likely has.
  mutating func guess(_ pid: Int32, _ inode: UInt64) -> SocketHolders.Holder? {
    guard let process = living[pid] else { return nil }
    for number in process.likelyNumbers {
      do throws(Errno) {
        let found = try files.socket(number, of: pid, process.folder)
        note(pid, number, found)
        if found == inode { return SocketHolders.Holder(pid: pid, number: number) }
      } catch {
        note(pid, number, nil)
        if !isGone(error, pid) { return nil }
      }
    }
    return nil
  }

  /// How many descriptors a process has, if they are more or fewer than before; 0 where the kernel does not tell, nil
  /// also where it cannot be read.
  private mutating func newCount(_ pid: Int32) -> Int64? {
    do throws(Errno) {
      let status = try files.status(of: pid)
      living.update(pid) { $0.user = status.owner }
      return status.size > 0 && status.size == living[pid]?.descriptorCount ? nil : status.size
    } catch {
      if isGone(error, pid), eventDescriptor == nil { end(pid) }
      return nil
    }
  }

  /// Lists a process's descriptors and looks behind those that are new, or with `rereads` behind all, up to the one
  /// that is the socket; 0 seeks none.
  mutating func read(_ pid: Int32, rereads: Bool, seeking inode: UInt64) -> SocketHolders.Holder? {
    guard let process = living[pid] else { return nil }
    let known = process.descriptors
    var current: [Int32: UInt64] = [:]
    current.reserveCapacity(known.count)
    var found: Int32?
    do throws(Errno) {
      let count = try files.forEachDescriptor(of: pid, process.folder) { number, socket throws(Errno) in
        if found != nil {
          // What comes after the socket keeps what is known of it.
          current[number] = known[number]
          return true
        }
        if !rereads, let before = known[number] {
          current[number] = before
          return true
        }
        let behind: UInt64
        do throws(Errno) { behind = try socket() } catch {
          // Closed meanwhile.
          if error == .noSuchFileOrDirectory { return true }
          throw error
        }
        current[number] = behind
        if behind == inode, inode != 0 { found = number }
        return true
      }
      replaceDescriptors(of: pid, by: current)
      deniedPids.remove(pid)
      living.update(pid) { $0.descriptorCount = found == nil ? count : nil }
    } catch {
      if isGone(error, pid), eventDescriptor == nil { end(pid) }
      return nil
    }
    return found.map { SocketHolders.Holder(pid: pid, number: $0) }
  }

  /// True when a process or descriptor is no more; what is denied is noted.
  private mutating func isGone(_ error: Errno, _ pid: Int32) -> Bool {
    if error == .permissionDenied || error == .notPermitted { deniedPids.insert(pid) }
    return error == .noSuchFileOrDirectory || error == .noSuchProcess
  }
}
