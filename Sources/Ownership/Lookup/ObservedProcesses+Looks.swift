import Model
import Netfilter
import SystemRuntime
import SystemPackage

/// Looks at /proc: what is remembered is made sure of, and what is found is remembered.
extension ObservedProcesses {
  private static let looksPerSocket = 128
  private static let ancestorLimit = 8

  /// The processes that hold the socket, as far as is known, each looked at again. Where more are known than are looked at,
  /// those of `first` come first.
  mutating func holders(
    of inode: UInt64, atMost limit: Int = looksPerSocket, first: [Int32] = []
  ) -> [ProcessIdentity] {
    var holders: [ProcessIdentity] = []
    var known = sockets.holders(of: inode)
    if known.count > limit {
      let preferred = Set(first)
      known = known.filter { preferred.contains($0.pid) } + known.filter { !preferred.contains($0.pid) }
    }
    for holder in known.prefix(limit) {
      guard stillHolds(holder, inode), let identity = living[holder.pid]?.identity else { continue }
      if !holders.contains(identity) { holders.append(identity) }
    }
    return holders
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
        vanished += 1
        return false
      }
      let identity = ProcessIdentity(pid: pid, startTime: stat.startTime)
      if let former = process.identity, former != identity {
        // Another process has the pid, and its event was lost.
        end(pid)
        // Or only a thread has the number.
        guard files.leader(folder) ?? pid == pid else { return false }
        living.add(LivingProcess(pid: pid, parent: stat.parent))
      }
      living.update(pid) { $0.identity = identity }
      living.keepOpen(folder, of: pid)
    }
    note(pid, holder.number, inode)
    living.update(pid) { $0.lastFound = holder.number }
    return true
  }

  /// Notes those of the holder's ancestors that have the socket under the same number: it was inherited from them.
  mutating func addAncestors(of inode: UInt64, from holder: SocketHolders.Holder) {
    var child = holder.pid
    for _ in 0..<Self.ancestorLimit {
      guard let parent = living[child]?.parent, let process = living[parent],
        (try? files.socket(holder.number, of: parent, process.folder)) == inode
      else { return }
      note(parent, holder.number, inode)
      child = parent
    }
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

  /// How many descriptors a process has, if they are more or fewer than before; 0 where the kernel does not report it,
  /// nil also where it cannot be read.
  mutating func newCount(_ pid: Int32) -> Int64? {
    do throws(Errno) {
      let status = try files.status(of: pid)
      living.update(pid) { $0.user = status.owner }
      return status.size > 0 && status.size == living[pid]?.descriptorCount ? nil : status.size
    } catch {
      if isGone(error, pid), !endsAreReported { end(pid) }
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
      living.note(pid, isDenied: false)
      living.update(pid) { $0.descriptorCount = found == nil ? count : nil }
    } catch {
      if isGone(error, pid), !endsAreReported { end(pid) }
      return nil
    }
    return found.map { SocketHolders.Holder(pid: pid, number: $0) }
  }
}
