public import Model
import Netfilter
import SystemRuntime

/// Says at once which process holds a socket, while that socket lives.
///
/// For one thread that receives new flows: it asks `SocketLookup` for the flow's socket, then this for the process.
/// The answer is always a process that was seen, in that moment, with a descriptor of exactly this socket; there is no
/// guess. Kept warm by the kernel's events of processes (fork, exec, exit), or, where those are denied, by listing
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
    /// Of those, found by a search.
    public var found: UInt64 = 0
    /// Searches that ended because they may not ask more.
    public var cutShort: UInt64 = 0
    /// Processes that ended between the sight of their descriptor and their name.
    public var vanished: UInt64 = 0
    /// Times that the kernel dropped events of processes; /proc was listed instead.
    public var lostEvents: UInt64 = 0
    /// Programs that were not read when they started, and places of processes, as too many were at once.
    public var unread: UInt64 = 0
    /// Events of processes that could not be understood.
    public var malformedEvents: UInt64 = 0
  }

  var observed: ObservedProcesses
  var events: ProcessEvents
  var programs = ProgramDescriptions()
  var search: OwnerSearch
  private var listing = ProcessListing()
  // Sockets asked for, and how many of these were known or found.
  private var requests: UInt64 = 0
  private var remembered: UInt64 = 0
  private var found: UInt64 = 0

  /// Reads which processes there are and what sockets they hold.
  ///
  /// `root` is where procfs is mounted. `usesEvents` subscribes to the kernel's events of processes, which needs
  /// CAP_NET_ADMIN and the host's network and pid namespaces; `eventError` says why there are none.
  public init(
    root: String = "/proc", usesEvents: Bool = true, limits: Limits = Limits(),
    at now: Instant
  ) throws(KernelError) {
    observed = try ObservedProcesses(root: root, limits)
    search = OwnerSearch(limits, at: now)
    // Before the list, so that nobody falls between.
    events = ProcessEvents(isWanted: usesEvents)
    observed.endsAreReported = events.areReported
    listing.list(into: &observed)
    for pid in Array(observed.living.pids) { _ = observed.read(pid, rereads: true, seeking: 0) }
  }

  /// Who holds the socket, as far as a short search shows; nil when it finds nobody.
  ///
  /// Takes some 10 us for the newest process or a recent owner, at most a millisecond otherwise: whoever waits for
  /// the next flow can afford it. `uid` is the socket's. `listener` is the inode of the socket that accepted it, where
  /// one did: then mostly who has that one has this one. For the others there is `owner(ofInode:uid:at:while:)`.
  /// `isUrgent` is asked before the longer part of it.
  public mutating func owner(
    ofInode inode: UInt64, uid: UInt32, acceptedBy listener: UInt64 = 0, isUrgent: () -> Bool = { false }
  ) -> Holding? {
    guard inode != 0 else { return nil }
    requests += 1
    if let holding = holding(of: inode) {
      remembered += 1
      return holding
    }
    receiveEvents()
    let servers = listener == 0 ? [] : search.servers(holding: listener, in: &observed)
    // To look at them takes time.
    if !servers.isEmpty { receiveEvents() }
    addStarted()
    let holder =
      servers.isEmpty
      ? search.near(inode, uid, in: &observed, isUrgent)
      : search.among(servers, inode, in: &observed, isUrgent)
    guard let holder else { return nil }
    return holding(of: inode, at: holder)
  }

  /// Who holds the socket, by a search through all processes; nil when nobody is found, or nobody who may be looked
  /// at.
  ///
  /// For when there is nothing else to do: a host with 1,000 processes and 10,000 descriptors takes up to 2 ms where
  /// the kernel reports how many descriptors a process has (Linux 6.2), 20 ms otherwise. Every 100 or so questions to
  /// the kernel it asks `isWorthwhile`, which should say false once the socket is closed or something else waits.
  /// `now` is for the bound on such searches.
  public mutating func owner(
    ofInode inode: UInt64, uid: UInt32, at now: Instant, while isWorthwhile: () -> Bool
  ) -> Holding? {
    guard inode != 0 else { return nil }
    receiveEvents()
    if let holding = holding(of: inode) { return holding }
    guard
      let holder = search.everywhere(
        inode, uid, in: &observed, &listing, at: now, while: isWorthwhile)
    else { return nil }
    return holding(of: inode, at: holder)
  }

  /// The holders known, each looked at again; nil when there is none.
  mutating func holding(of inode: UInt64) -> Holding? {
    let holders = observed.holders(of: inode)
    guard let owner = holders.min() else { return nil }
    noteOwner(owner)
    return Holding(owner: owner, holders: holders.sorted())
  }

  /// What a process is and runs; nil when it ended before it was read.
  ///
  /// Read when the process starts a program, or first owns a socket. A child has what its parent runs until it runs
  /// something else; one that has ended and owned a socket keeps its last one until the room is needed.
  public mutating func description(of identity: ProcessIdentity) -> ProcessDescription? {
    programs.description(of: identity, in: &observed)
  }

  /// Takes in the events of processes that have arrived, and reads at most `limit` of those that started a program;
  /// true when there are more.
  ///
  /// Each takes up to 100 us: with a small limit, a new flow need not wait.
  public mutating func handleProcessEvents(limit: Int = .max) -> Bool {
    receiveEvents()
    return programs.readStarted(limit: limit, in: &observed)
  }

  /// Takes the processes that were found to run another program since the last call; of very many not all.
  mutating func takeRenamed() -> [ProcessIdentity] { programs.takeRenamed() }

  /// True when there are processes for `readPlaces`.
  var hasUnplaced: Bool { programs.hasUnplaced }

  /// Reads where `limit` of those processes run that were described, and returns what is known of them now. One takes some
  /// 20 us.
  mutating func readPlaces(limit: Int = .max) -> [ProcessDescription] {
    programs.readPlaces(limit: limit, in: &observed)
  }

  /// Adds the processes that started since the last look, where there are no events of them.
  mutating func addStarted() { if !events.areReported { listing.addStarted(to: &observed) } }

  /// Lists /proc, and takes in who is new and who is gone.
  mutating func list() { listing.list(into: &observed) }

  /// Takes in one event.
  mutating func take(_ message: ProcConnectorMessage) {
    switch message {
    case .fork(let parent, let child): observed.fork(parent, child)
    case .exec(let pid):
      observed.execute(pid)
      programs.noteStart(of: pid)
    case .exit(let pid): observed.end(pid)
    case .acknowledged, .other: break
    }
  }

  /// Takes in the events that have arrived, without a look at any process.
  private mutating func receiveEvents() {
    let (messages, hasLost) = events.receive()
    observed.endsAreReported = events.areReported
    for message in messages { take(message) }
    if hasLost { listing.outdate() }
    listing.update(&observed)
  }

  /// The holders known once one was found.
  private mutating func holding(of inode: UInt64, at holder: SocketHolders.Holder) -> Holding? {
    guard observed.identify(holder, inode) else { return nil }
    found += 1
    observed.addAncestors(of: inode, from: holder)
    return holding(of: inode)
  }

  private mutating func noteOwner(_ identity: ProcessIdentity) {
    let pid = identity.pid
    if observed.living[pid]?.hasOwned != true || observed.living[pid]?.description == nil {
      observed.living.update(pid) { $0.hasOwned = true }
      // Its name, before it can go.
      _ = description(of: identity)
    }
    observed.living.noteOwner(pid)
  }
}

extension OwnerFinder {
  /// What was done, since start.
  public var counters: Counters {
    Counters(
      requests: requests, remembered: remembered, found: found, cutShort: search.cutShort,
      vanished: observed.vanished, lostEvents: events.lost, unread: programs.skipped,
      malformedEvents: events.malformed)
  }

  /// Why events of processes are not received; nil where they are.
  public var eventError: KernelError? { events.error }
  /// The descriptor on which events of processes arrive, for waiting; nil where there is none.
  public var eventDescriptor: Int32? { events.descriptor }
  /// Processes whose descriptors may not be read, as last tried.
  public var denied: Int { observed.living.deniedCount }
  /// Questions to the kernel about descriptors, since start.
  public var looks: UInt64 { observed.files.looks }
  /// Processes, descriptors and sockets beyond the limits, since start.
  public var dropped: UInt64 { observed.files.dropped + observed.sockets.dropped }
  /// Descriptions of ended processes that had to make room, since start.
  public var forgotten: UInt64 { observed.ended.forgotten }
}
