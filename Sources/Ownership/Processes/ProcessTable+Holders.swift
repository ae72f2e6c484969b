import Model
import Netfilter
import SystemRuntime
import SystemPackage

extension ProcessTable {
  /// The processes that hold each of the sockets `inodes`, the oldest first; a socket that no process is seen to
  /// hold is not in the answer. More than one holder: they share it (fork, SCM_RIGHTS, socket activation).
  ///
  /// No process's descriptors are read twice in a call. They are read when the process is new, when the number
  /// of its descriptors changed (Linux 6.2 and later report it), when a remembered descriptor turns out to be
  /// something else, and, of all processes, when a socket has no holder; a socket that is never found is
  /// searched with growing pauses. Remembered descriptors are looked at again, `Limits.linkChecks` in a call
  /// and each in its turn; at once when their socket appears in a second process. `remembered` says how many
  /// were not. Older kernels do not show when a process is handed a socket that another keeps.
  public mutating func holders(of inodes: Set<UInt64>) -> [UInt64: [ProcessIdentity]] {
    if inodes.isEmpty { return [:] }
    var search = HolderSearch(wanted: inodes, processes: processes.count)
    for index in processes.indices {
      processes[index].isFresh = false
      if hasChanged(index) {
        scan(index)
        // Another program closes what it does not inherit.
        if let identity = processes[index].identity { descriptions[identity]?.nextCheck = tick }
      }
      search.set(processes[index], at: index)
    }
    var isSearched = searchAll(&search)
    checkLinks(&search)
    if !isSearched, searchAll(&search) {
      isSearched = true
      checkLinks(&search)
    }
    searches.note(missing: search.missing, wereSearched: isSearched, at: tick)
    remembered = search.remembered
    return search.result(processes)
  }

  /// True when all descriptors of a process must be read before it can be relied on.
  private func hasChanged(_ index: Int) -> Bool {
    guard let known = processes[index].descriptors else { return true }
    return known != (try? root.status(of: processes[index].descriptorFolder))
  }

  /// Looks again at those remembered descriptors whose turn it is, and reads the processes where one differs.
  private mutating func checkLinks(_ search: inout HolderSearch) {
    var budget = limits.linkChecks
    while case let due = search.due(budget: budget, at: tick), !due.isEmpty {
      var differing = Set<Int>()
      for index in due {
        let candidate = search.candidates[index]
        let path = "\(processes[candidate.process].folder(of: candidate.thread))/\(candidate.descriptor)"
        let target = try? text[..<root.readLink(path, into: &text)]
        let isHeld = target.flatMap(SocketLink.inode) == candidate.inode
        search.confirm(index, isHeld)
        if !isHeld { differing.insert(candidate.process) }
      }
      for process in differing where !processes[process].isFresh {
        scan(process)
        search.set(processes[process], at: process)
      }
      budget = 0
    }
  }

  /// Reads all processes that this call has not read, when a wanted socket has no holder; returns whether it did.
  private mutating func searchAll(_ search: inout HolderSearch) -> Bool {
    var missing = Set(search.missing.filter { searches.isDue($0, at: tick) })
    if missing.isEmpty { return false }
    // Where the kernel reports that a process has as many descriptors as before, one holder found is the holder:
    // then those with most sockets come first, and the search may end early.
    let order =
      countsDescriptors
      ? processes.indices.sorted { processes[$0].sockets.count > processes[$1].sockets.count }
      : Array(processes.indices)
    for index in order where !processes[index].isFresh {
      scan(index)
      search.set(processes[index], at: index)
      if countsDescriptors {
        for socket in processes[index].sockets { missing.remove(socket.inode) }
        if missing.isEmpty { return true }
      }
    }
    searchThreads(&search)
    return true
  }

  /// Looks which threads have descriptors of their own, while a wanted socket has no holder.
  private mutating func searchThreads(_ search: inout HolderSearch) {
    if search.missing.isEmpty { return }
    for index in processes.indices {
      let threads = separateThreads.withDescriptors(
        of: processes[index].pid, mainHasNone: false, in: root)
      if threads.isEmpty { continue }
      processes[index].threads = threads
      scan(index)
      search.set(processes[index], at: index)
    }
  }
}

extension ProcessTable {
  /// Reads all descriptors of a process and remembers those that are sockets.
  private mutating func scan(_ index: Int) {
    scans += 1
    heldSockets -= processes[index].sockets.count
    var sockets = processes[index].sockets
    processes[index].sockets = []
    sockets.removeAll(keepingCapacity: true)
    processes[index].isFresh = true
    processes[index].isDenied = false
    do throws(Errno) {
      try readSockets(openDescriptors(index), into: &sockets)
      // Without any, its main thread may have ended and others go on.
      if listing.isEmpty {
        processes[index].threads = separateThreads.withDescriptors(
          of: processes[index].pid, mainHasNone: true, in: root)
      }
      if !processes[index].threads.isEmpty { readThreads(index, into: &sockets) }
    } catch {
      let hasEnded = hasEnded(processes[index].pid)
      processes[index].isDenied = noteFailure(hasEnded ? .noSuchProcess : error)
    }
    heldSockets += sockets.count
    processes[index].sockets = sockets
  }

  /// Adds the sockets of those threads that have descriptors of their own, and forgets those that have ended.
  private mutating func readThreads(_ index: Int, into sockets: inout [KnownProcess.HeldSocket]) {
    var living: [Int32] = []
    for thread in processes[index].threads {
      do throws(Errno) {
        let folder = try OpenFile(processes[index].folder(of: thread), in: root, isFolder: true)
        try readSockets(folder, of: thread, into: &sockets)
        living.append(thread)
      } catch { continue }
    }
    processes[index].threads = living
  }

  /// Opens /proc/PID/fd, and makes sure who has the pid.
  private mutating func openDescriptors(_ index: Int) throws(Errno) -> OpenFile {
    let pid = processes[index].pid
    let known = processes[index].identity == nil ? nil : processes[index].descriptors
    // Taken before the look: a change meanwhile shows as one in the next call.
    let status = try root.status(of: processes[index].descriptorFolder)
    processes[index].descriptors = status
    if let known, known.inode == status.inode {
      let descriptors = try OpenFile(processes[index].descriptorFolder, in: root, isFolder: true)
      if try descriptors.status().inode == known.inode { return descriptors }
    }
    // Open folders stay with the process they were opened for, whoever has its pid later.
    let folder = try OpenFile("\(pid)", in: root, isFolder: true)
    // Without a name nobody can be said to hold anything.
    guard let stat = try readStat(folder) else { throw .badMessage }
    let identity = ProcessIdentity(pid: pid, startTime: stat.startTime)
    // Who was listed has ended, and its number may be a thread's by now, which is no process.
    if let former = processes[index].identity, former != identity,
      let leader = try ProcessStatus.leader(read("status", folder)), leader != pid
    {
      throw .noSuchProcess
    }
    note(identity)
    return try OpenFile("fd", in: folder, isFolder: true)
  }

  /// True when the process has ended: the kernel refuses to read the links of one that is about to go.
  private mutating func hasEnded(_ pid: Int32) -> Bool {
    do throws(Errno) {
      return try readStat(OpenFile("\(pid)", in: root, isFolder: true))?.isDead ?? false
    } catch {
      return error == .noSuchFileOrDirectory || error == .noSuchProcess
    }
  }

  private mutating func readSockets(
    _ folder: borrowing OpenFile, of thread: Int32 = 0, into sockets: inout [KnownProcess.HeldSocket]
  ) throws(Errno) {
    try entries.list(folder, into: &listing)
    for entry in listing {
      let count: Int
      do throws(Errno) { count = try folder.readLink("\(entry.number)", into: &text) } catch {
        // A descriptor that was closed meanwhile.
        if error == .noSuchFileOrDirectory { continue }
        throw error
      }
      guard let inode = SocketLink.inode(text[..<count]) else { continue }
      if heldSockets + sockets.count < limits.sockets {
        sockets.append(KnownProcess.HeldSocket(inode: inode, descriptor: entry.number, thread: thread))
      } else {
        droppedSockets += 1
      }
    }
  }
}
