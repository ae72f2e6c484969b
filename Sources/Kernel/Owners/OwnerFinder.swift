import Model

/// Says at once which process holds a socket, while that socket lives.
///
/// For one thread that hears of new flows: it asks `SocketLookup` for the flow's socket, then this for the process.
/// The answer is always a process that was seen, in that moment, with a descriptor of exactly this socket; there is
/// no guess. Kept warm by the kernel's news of processes (fork, exec, exit), or, where those are denied, by listing
/// /proc again when a socket is not found.
///
/// A search ends at the first holder. Others of a shared socket (fork, SCM_RIGHTS, activation) are known when they
/// inherited it or gave it to a child, or were met before. Of the holders known, the oldest (start time, then pid) is
/// the owner.
public struct OwnerFinder: ~Copyable {
  /// What the finder may keep and ask. What does not fit is counted.
  public struct Limits: Sendable, Hashable {
    /// Processes, and descriptors of one process, that are looked at.
    public var entries = 1_048_576
    /// Sockets that are remembered, of all processes together.
    public var sockets = 1_048_576
    /// Descriptions of processes that have ended, of those that owned a socket; of 8 MiB of text together.
    public var ended = 4_096
    /// Folders of processes that are kept open.
    public var folders = 128
    /// Questions to the kernel in one search. A question takes 1 to 2 us.
    public var looks = 30_000
    /// Questions a second, on average, in searches through all processes.
    public var looksPerSecond = 100_000
    /// Descriptors that a child inherits and that are noted for it at once.
    public var inherited = 256

    /// The usual limits.
    public init() {}
  }

  /// Who holds a socket.
  public struct Holding: Sendable, Hashable {
    /// The oldest of the holders known.
    public var owner: ProcessIdentity
    /// The holders known, the oldest first.
    public var holders: [ProcessIdentity]
    /// True when more than one process holds it.
    public var isShared: Bool { holders.count > 1 }
  }

  /// What was done, since start.
  public struct Counters: Sendable, Hashable {
    /// Sockets asked for.
    public var requests: UInt64 = 0
    /// Of those, answered from memory.
    public var remembered: UInt64 = 0
    /// Of those, found in what `glimpse()` saw and gone since.
    public var glimpsed: UInt64 = 0
    /// Of those, found by a search.
    public var found: UInt64 = 0
    /// Searches that ended because they may not ask more.
    public var cutShort: UInt64 = 0
    /// Processes that ended between the sight of their descriptor and their name.
    public var vanished: UInt64 = 0
    /// Times that the kernel dropped news of processes; /proc was listed instead.
    public var lostNews: UInt64 = 0
    /// Programs that were not read when they started, and places of processes, as too many were at once.
    public var unread: UInt64 = 0
    /// News of processes that could not be understood.
    public var malformedNews: UInt64 = 0
  }

  /// What was done, since start.
  public internal(set) var counters = Counters()
  /// Why there is no news of processes; nil where there is.
  public internal(set) var newsError: KernelError?
  /// The descriptor on which news of processes arrives, for waiting; nil where there is none.
  public internal(set) var eventDescriptor: Int32?
  /// Processes whose descriptors may not be read, as last tried.
  public var denied: Int { deniedPids.count }
  /// Questions to the kernel about descriptors, since start.
  public var looks: UInt64 { files.looks }
  /// Processes, descriptors and sockets beyond the limits, since start.
  public var dropped: UInt64 { files.dropped + sockets.dropped }
  /// Descriptions of ended processes that had to make room, since start.
  public var forgotten: UInt64 { ended.forgotten }

  let limits: Limits
  var files: ProcessFiles
  var news: ProcConnector?
  var living = LivingProcesses()
  var sockets: SocketHolders
  var ended: EndedProcesses
  var allowance: SearchAllowance
  // Those that owned a wanted socket, the last one first.
  var recentOwners: [Int32] = []
  // Those whose folder is kept open, the oldest first.
  var openFolders: [Int32] = []
  // Those that may not be read.
  var deniedPids: Set<Int32> = []
  // Those that run another program and are not yet read.
  var unread: [Int32] = []
  // Those that were described and whose place is yet to be read.
  var unplaced: [ProcessIdentity] = []
  // Those that were read since they run another program, until they are taken.
  var renamed: [ProcessIdentity] = []
  // What the last glimpse saw: a socket of the newest process.
  var glimpsed: (inode: UInt64, holder: SocketHolders.Holder)?
  // The last process that the kernel had numbered when /proc was looked at.
  var lastPid: Int32?
  // Where the newest process ran when that was last told, until it is taken.
  var newestProcessor: Int32?
  // Set when /proc must be listed again.
  var isOutdated = false

  /// Reads which processes there are and what sockets they hold.
  ///
  /// `root` is where procfs is mounted. `usesNews` asks for the kernel's news of processes, which needs
  /// CAP_NET_ADMIN and the host's network and pid namespaces; `newsError` says why it is not there.
  public init(
    root: String = "/proc", usesNews: Bool = true, limits: Limits = Limits(), at now: ContinuousClock.Instant
  ) throws(KernelError) {
    self.limits = limits
    files = try ProcessFiles(root: root, limit: limits.entries)
    sockets = SocketHolders(limit: limits.sockets)
    ended = EndedProcesses(limit: limits.ended)
    allowance = SearchAllowance(
      capacity: limits.looks, perSecond: limits.looksPerSecond, at: now)
    if usesNews {
      do throws(KernelError) {
        let connector = try ProcConnector()
        eventDescriptor = connector.descriptor
        news = consume connector
      } catch { newsError = error }
    }
    // After the subscription, so that nobody falls between.
    relist()
    for pid in Array(living.pids) { _ = read(pid, rereads: true, seeking: 0) }
  }

  /// Looks, within some 5 us, which sockets the newest process has just opened.
  ///
  /// To be called when a new flow is heard of, before its socket is looked up. A process that closes its socket at
  /// once loses the descriptor some 10 us before the kernel's tables forget the socket: what is seen now is still
  /// true when the look-up answers, and `owner(ofInode:uid:)` remembers it until the next glimpse.
  public mutating func glimpse() {
    glimpsed = nil
    hear()
    guard let newest = living.newest, let process = living[newest] else { return }
    for number in process.likelyNumbers {
      guard let inode = try? files.socket(number, of: newest, process.folder), inode != 0 else { continue }
      glimpsed = (inode, SocketHolders.Holder(pid: newest, number: number))
      note(newest, number, inode)
      return
    }
  }

  /// Reads who the newest process is, if that is not known: a child that connects and ends at once is gone before its
  /// socket's flow was looked at. Takes some 10 us.
  mutating func meetNewest() {
    guard let newest = living.newest, let process = living[newest], process.identity == nil,
      let folder = try? files.folder(of: newest), let stat = files.stat(folder),
      stat.parent == process.parent || process.parent == 0
    else { return }
    if let processor = stat.processor { newestProcessor = processor }
    living.update(newest) { $0.identity = ProcessIdentity(pid: newest, startTime: stat.startTime) }
    keepOpen(folder, of: newest)
  }

  /// Who holds the socket, as far as a short search tells; nil when it finds nobody.
  ///
  /// Takes some 10 us for the newest process or a recent owner, at most a millisecond otherwise: whoever waits for
  /// the next flow can afford it. `uid` is the socket's. `listener` is the inode of the socket that accepted it, where
  /// one did: then mostly who has that one has this one. For the others there is `owner(ofInode:uid:at:while:)`.
  /// `isUrgent` is asked before the longer part of it.
  public mutating func owner(
    ofInode inode: UInt64, uid: UInt32, acceptedBy listener: UInt64 = 0, isUrgent: () -> Bool = { false }
  ) -> Holding? {
    guard inode != 0 else { return nil }
    counters.requests += 1
    let known = holding(of: inode)
    if let holding = holding(of: inode, withGlimpsed: known) {
      if known == nil { counters.glimpsed += 1 } else { counters.remembered += 1 }
      return holding
    }
    hear()
    let servers = listener == 0 ? [] : servers(holding: listener)
    let found = servers.isEmpty ? searchNear(inode, uid, isUrgent) : searchServers(servers, inode, isUrgent)
    guard let holder = found else { return nil }
    return holding(of: inode, at: holder)
  }

  /// Who holds the socket, by a search through all processes; nil when nobody is found, or nobody who may be looked
  /// at.
  ///
  /// For when there is nothing else to do: a host with 1,000 processes and 10,000 descriptors takes up to 2 ms where
  /// the kernel tells how many descriptors a process has (Linux 6.2), 20 ms otherwise. Every 100 or so questions to
  /// the kernel it asks `isWorthwhile`, which should say false once the socket is closed or something else waits.
  /// `now` is for the bound on such searches.
  public mutating func owner(
    ofInode inode: UInt64, uid: UInt32, at now: ContinuousClock.Instant, while isWorthwhile: () -> Bool
  ) -> Holding? {
    guard inode != 0 else { return nil }
    hear()
    if let holding = holding(of: inode) { return holding }
    guard let holder = searchAll(inode, uid, at: now, while: isWorthwhile) else { return nil }
    return holding(of: inode, at: holder)
  }

  /// Takes the processes that were found to run another program since the last call; of very many not all.
  mutating func takeRenamed() -> [ProcessIdentity] {
    defer { renamed.removeAll(keepingCapacity: true) }
    return renamed
  }

  /// Takes in the news of processes that has arrived, and reads at most `limit` of those that started a program;
  /// true when there are more.
  ///
  /// Each takes up to 100 us: with a small limit, a new flow need not wait.
  public mutating func handleProcessEvents(limit: Int = .max) -> Bool {
    hear()
    var left = limit
    while left > 0, let pid = unread.popLast() {
      readProgram(pid)
      left -= 1
    }
    return !unread.isEmpty
  }
}
