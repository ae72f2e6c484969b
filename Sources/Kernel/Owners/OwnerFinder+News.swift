import Model

extension OwnerFinder {
  private static let newsLimit = 65_536
  private static let startedLimit: Int32 = 64

  /// Takes in the news that has arrived, without a look at any process.
  mutating func hear() {
    var messages: [ProcConnectorMessage] = []
    do throws(KernelError) {
      guard let receipt = try news?.receive(limit: Self.newsLimit, { messages.append($0) }) else { return }
      counters.malformedNews += receipt.malformed
      if receipt.hasLost {
        counters.lostNews += 1
        isOutdated = true
      }
    } catch {
      newsError = error
      news = nil
      eventDescriptor = nil
    }
    for message in messages { take(message) }
    if isOutdated { relist() }
  }

  /// Takes in one piece of news.
  mutating func take(_ message: ProcConnectorMessage) {
    switch message {
    case .fork(let parent, let child): fork(parent, child)
    case .exec(let pid, let processor):
      newestProcessor = processor
      if living[pid] == nil { living.add(LivingProcess(pid: pid)) } else { living.renew(pid) }
      living.update(pid) {
        $0.description = nil
        $0.descriptorCount = nil
        $0.isUnread = true
      }
      if unread.count < Self.newsLimit { unread.append(pid) } else { counters.unread += 1 }
    case .exit(let pid): end(pid)
    case .acknowledged, .other: break
    }
  }

  private mutating func fork(_ parent: Int32, _ child: Int32) {
    end(child)
    var process = LivingProcess(pid: child, parent: parent)
    if let maker = living[parent] {
      process.user = maker.user
      if maker.descriptors.count <= limits.inherited { process.descriptors = maker.descriptors }
    }
    living.add(process)
    for (number, inode) in process.descriptors {
      sockets.add(SocketHolders.Holder(pid: child, number: number), of: inode)
    }
  }

  /// Forgets a process that has ended, but not what it ran if it owned a socket.
  mutating func end(_ pid: Int32) {
    guard let process = living.remove(pid) else { return }
    for (number, inode) in process.descriptors {
      sockets.remove(SocketHolders.Holder(pid: pid, number: number), of: inode)
    }
    if process.hasOwned, let description = process.description { ended.add(description) }
    deniedPids.remove(pid)
    if process.folder != nil { openFolders.removeAll { $0 == pid } }
    recentOwners.removeAll { $0 == pid }
  }

  /// Reads who it is that started a program, what it runs, and what it has open.
  ///
  /// Not for every fork: a child that connects at once would have closed its socket meanwhile.
  mutating func readProgram(_ pid: Int32) {
    guard let process = living[pid] else { return }
    guard let folder = try? process.folder ?? files.folder(of: pid) else { return }
    if process.identity == nil {
      guard let stat = files.stat(folder) else { return }
      living.update(pid) {
        $0.identity = ProcessIdentity(pid: pid, startTime: stat.startTime)
        $0.parent = stat.parent
      }
    }
    keepOpen(folder, of: pid)
    guard let identity = living[pid]?.identity else { return }
    if var description = files.description(of: identity, folder) {
      description.place = files.place(folder)
      living.update(pid) { $0.description = description }
      if renamed.count < Self.newsLimit { renamed.append(identity) } else { counters.unread += 1 }
    }
    living.update(pid) { $0.isUnread = false }
    _ = read(pid, rereads: true, seeking: 0)
  }

  /// Adds the processes that started since the last look, where there is no news of them: the kernel numbers them
  /// one after the other and tells the last number. Of very many, or when the numbers have wrapped, those with the
  /// last numbers: whoever has just opened a socket is mostly among them. A search through all finds the others.
  mutating func addStarted() {
    guard let last = files.lastPid(), let before = lastPid, last != before else { return }
    lastPid = last
    let first = max(last < before ? 1 : before + 1, last - Self.startedLimit + 1)
    guard first <= last else { return }
    for pid in first...last {
      // Threads have numbers too; who was listed meanwhile is known, and who had the number before has ended.
      guard let folder = try? files.folder(of: pid), files.leader(folder) == pid,
        let stat = files.stat(folder)
      else { continue }
      if living[pid]?.identity?.startTime == stat.startTime { continue }
      end(pid)
      add(pid, stat)
      if let processor = stat.processor { newestProcessor = processor }
    }
  }

  /// Lists /proc, and takes in who is new and who is gone.
  mutating func relist() {
    let last = files.lastPid()
    guard let pids = try? files.pids() else { return }
    isOutdated = false
    lastPid = last
    let present = Set(pids)
    for pid in Array(living.pids) where !present.contains(pid) { end(pid) }
    var added: [(pid: Int32, stat: ProcessStat)] = []
    for pid in pids where living[pid] == nil {
      guard let folder = try? files.folder(of: pid), let stat = files.stat(folder) else { continue }
      added.append((pid, stat))
    }
    added.sort { ($0.stat.startTime, $0.pid) < ($1.stat.startTime, $1.pid) }
    for (pid, stat) in added { add(pid, stat) }
  }

  private mutating func add(_ pid: Int32, _ stat: ProcessStat) {
    var process = LivingProcess(pid: pid, parent: stat.parent)
    process.identity = ProcessIdentity(pid: pid, startTime: stat.startTime)
    living.add(process)
  }
}
