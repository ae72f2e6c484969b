import Model
import SystemPackage

extension OwnerFinder {
  private static let looksPerSocket = 128
  private static let ancestorLimit = 8
  private static let recent = 16

  /// The holders known, each looked at again; nil when there is none.
  mutating func holding(of inode: UInt64) -> Holding? {
    let holders = holders(of: inode)
    guard let owner = holders.min() else { return nil }
    noteOwner(owner)
    return Holding(owner: owner, holders: holders.sorted())
  }

  /// The processes that hold a listener, as far as is known: those that accepted last first, then the youngest.
  mutating func servers(holding listener: UInt64) -> [Int32] {
    let holders = holders(of: listener).sorted(by: >).map(\.pid)
    let recent = recentOwners.filter(holders.contains)
    return recent + holders.filter { !recent.contains($0) }
  }

  /// True when a process has made another since `turn`. Of one that has ended meanwhile nothing is known: most such have
  /// answered alone.
  func hasForked(_ identity: ProcessIdentity, since turn: UInt64) -> Bool {
    guard let process = living[identity.pid], process.identity == identity else { return false }
    return process.lastFork > turn
  }

  private mutating func holders(of inode: UInt64) -> [ProcessIdentity] {
    var holders: [ProcessIdentity] = []
    for holder in sockets.holders(of: inode).prefix(Self.looksPerSocket) {
      guard stillHolds(holder, inode), let identity = living[holder.pid]?.identity else { continue }
      if !holders.contains(identity) { holders.append(identity) }
    }
    return holders
  }

  /// The holders known once one was found.
  mutating func holding(of inode: UInt64, at holder: SocketHolders.Holder) -> Holding? {
    guard identify(holder, inode) else { return nil }
    counters.found += 1
    addAncestors(of: inode, from: holder)
    return holding(of: inode)
  }

  /// The holders known, with the process that the last glimpse saw with the socket: if it has closed it since, it did
  /// hold it, and no other socket can have had that inode in between. Also with those that it inherited it from.
  mutating func holding(of inode: UInt64, withGlimpsed known: Holding?) -> Holding? {
    guard let glimpsed, glimpsed.inode == inode else { return known }
    var holders = known?.holders ?? []
    if !holders.contains(where: { $0.pid == glimpsed.holder.pid }) {
      guard let identity = glimpsedIdentity(of: glimpsed.holder.pid) else {
        counters.vanished += 1
        return known
      }
      holders.append(identity)
      noteOwner(identity)
    }
    addAncestors(of: inode, from: glimpsed.holder)
    for holder in holding(of: inode)?.holders ?? [] where !holders.contains(holder) { holders.append(holder) }
    holders.sort()
    return Holding(owner: holders[0], holders: holders)
  }

  /// Who has the pid; nil when that cannot be the one who was glimpsed.
  private mutating func glimpsedIdentity(of pid: Int32) -> ProcessIdentity? {
    guard let process = living[pid] else { return nil }
    if process.folder != nil, let identity = process.identity { return identity }
    guard let folder = try? process.folder ?? files.folder(of: pid), let stat = files.stat(folder) else {
      return nil
    }
    let identity = ProcessIdentity(pid: pid, startTime: stat.startTime)
    guard process.identity == identity || (process.identity == nil && process.parent == stat.parent) else {
      return nil
    }
    living.update(pid) { $0.identity = identity }
    return identity
  }

  /// Looks whether a descriptor is the socket, and that its process is the one it was.
  private mutating func stillHolds(_ holder: SocketHolders.Holder, _ inode: UInt64) -> Bool {
    guard let process = living[holder.pid] else { return false }
    guard process.folder != nil, process.identity != nil else { return identify(holder, inode) }
    if (try? files.socket(holder.number, of: holder.pid, process.folder)) == inode { return true }
    note(holder.pid, holder.number, nil)
    return false
  }

  /// Makes sure which process it is that has the descriptor: its folder, once open, stays with it, so that the
  /// socket and the start time are of one process.
  mutating func identify(_ holder: SocketHolders.Holder, _ inode: UInt64) -> Bool {
    let pid = holder.pid
    guard let process = living[pid] else { return false }
    guard let folder = try? process.folder ?? files.folder(of: pid),
      (try? files.socket(holder.number, of: pid, folder)) == inode
    else {
      note(pid, holder.number, nil)
      return false
    }
    if process.folder == nil || process.identity == nil {
      guard let stat = files.stat(folder) else {
        counters.vanished += 1
        return false
      }
      let identity = ProcessIdentity(pid: pid, startTime: stat.startTime)
      if let former = process.identity, former != identity {
        // Another process has the pid, and the news of it was lost.
        end(pid)
        // Or only a thread has the number.
        guard files.leader(folder) ?? pid == pid else { return false }
        living.add(LivingProcess(pid: pid, parent: stat.parent))
      }
      living.update(pid) { $0.identity = identity }
      keepOpen(folder, of: pid)
    }
    note(pid, holder.number, inode)
    living.update(pid) { $0.lastFound = holder.number }
    return true
  }

  /// Notes those of the holder's ancestors that have the socket under the same number: it was inherited from them.
  private mutating func addAncestors(of inode: UInt64, from holder: SocketHolders.Holder) {
    var child = holder.pid
    for _ in 0..<Self.ancestorLimit {
      guard let parent = living[child]?.parent, let process = living[parent],
        (try? files.socket(holder.number, of: parent, process.folder)) == inode
      else { return }
      note(parent, holder.number, inode)
      child = parent
    }
  }

  private mutating func noteOwner(_ identity: ProcessIdentity) {
    let pid = identity.pid
    if living[pid]?.hasOwned != true || living[pid]?.description == nil {
      living.update(pid) { $0.hasOwned = true }
      // Its name, before it can go.
      _ = description(of: identity)
    }
    if recentOwners.first == pid { return }
    recentOwners.removeAll { $0 == pid }
    recentOwners.insert(pid, at: 0)
    if recentOwners.count > Self.recent { recentOwners.removeLast() }
  }

  /// Keeps a process's folder open, and closes that of another if there are too many.
  mutating func keepOpen(_ folder: ProcessFolder, of pid: Int32) {
    guard limits.folders > 0, living[pid] != nil, living[pid]?.folder == nil else { return }
    living.update(pid) { $0.folder = folder }
    openFolders.append(pid)
    while openFolders.count > limits.folders {
      let oldest = openFolders.removeFirst()
      if oldest != pid { living.update(oldest) { $0.folder = nil } }
    }
  }

  /// Notes what is behind a descriptor: a socket, 0 for something else, nil for nothing.
  mutating func note(_ pid: Int32, _ number: Int32, _ inode: UInt64?) {
    let before = living[pid]?.descriptors[number]
    guard before != inode else { return }
    let holder = SocketHolders.Holder(pid: pid, number: number)
    if let before { sockets.remove(holder, of: before) }
    if let inode { sockets.add(holder, of: inode) }
    living.update(pid) { $0.descriptors[number] = inode }
  }

  /// Notes all descriptors of a process.
  mutating func replaceDescriptors(of pid: Int32, by current: [Int32: UInt64]) {
    for (number, before) in living[pid]?.descriptors ?? [:] where current[number] != before {
      sockets.remove(SocketHolders.Holder(pid: pid, number: number), of: before)
    }
    for (number, inode) in current where inode != 0 {
      sockets.add(SocketHolders.Holder(pid: pid, number: number), of: inode)
    }
    living.update(pid) { $0.descriptors = current }
  }
}
