import Model

extension OwnerFinder {
  private static let newsLimit = 65_536

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
    case .exec(let pid):
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
      sockets.add(SocketHolders.Holder(pid: child, number: number), of: inode, in: rounds)
    }
  }

  /// Forgets a process that has ended, but not what it ran if it owned a socket.
  mutating func end(_ pid: Int32) {
    guard let process = living.remove(pid) else { return }
    for (number, inode) in process.descriptors {
      sockets.remove(SocketHolders.Holder(pid: pid, number: number), of: inode)
    }
    if process.hasOwned, let description = process.description { ended.add(description) }
    if process.folder != nil { openFolders.removeAll { $0 == pid } }
    recentOwners.removeAll { $0 == pid }
  }

  /// Reads who it is that runs another program, what it runs, and what it has open.
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
    if let description = files.description(of: identity, folder) {
      living.update(pid) { $0.description = description }
    }
    living.update(pid) { $0.isUnread = false }
    _ = read(pid, rereads: true, seeking: 0)
  }

  /// Lists /proc, and takes in who is new and who is gone.
  mutating func relist() {
    guard let pids = try? files.pids() else { return }
    isOutdated = false
    let present = Set(pids)
    for pid in Array(living.pids) where !present.contains(pid) { end(pid) }
    var added: [LivingProcess] = []
    for pid in pids where living[pid] == nil {
      guard let folder = try? files.folder(of: pid), let stat = files.stat(folder) else { continue }
      var process = LivingProcess(pid: pid, parent: stat.parent)
      process.identity = ProcessIdentity(pid: pid, startTime: stat.startTime)
      added.append(process)
    }
    added.sort { ($0.identity?.startTime ?? 0, $0.pid) < ($1.identity?.startTime ?? 0, $1.pid) }
    for process in added { living.add(process) }
  }
}
