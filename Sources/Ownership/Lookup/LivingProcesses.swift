import Model

/// The processes that live, in the order in which they started or last ran another program, and in that in which they
/// last owned a wanted socket.
///
/// By time, never by pid: pids wrap.
struct LivingProcesses {
  private var byPid: [Int32: LivingProcess] = [:]
  private var order: [(pid: Int32, turn: UInt64)] = []
  private var turns: UInt64 = 0
  /// Those that owned a wanted socket, the last one first; not all.
  private(set) var recentOwners: [Int32] = []
  /// Those whose folder is kept open, the oldest first.
  private var openFolders: [Int32] = []
  /// Those that may not be read.
  private var denied: Set<Int32> = []
  private let folderLimit: Int

  private static let ownerLimit = 16

  /// Keeps at most `folderLimit` folders open.
  init(folderLimit: Int = 0) { self.folderLimit = folderLimit }

  /// How many there are.
  var count: Int { byPid.count }

  /// All pids, in no order.
  var pids: some Collection<Int32> { byPid.keys }

  /// The pids, those that started or ran another program last first.
  var newestFirst: some Sequence<Int32> {
    order.reversed().lazy.filter { byPid[$0.pid]?.turn == $0.turn }.map(\.pid)
  }

  subscript(pid: Int32) -> LivingProcess? { byPid[pid] }

  /// The place of the newest.
  var lastTurn: UInt64 { turns }

  /// Adds a process as the newest; whoever had its pid is replaced.
  mutating func add(_ process: LivingProcess) {
    byPid[process.pid] = process
    renew(process.pid)
    let turn = turns
    update(process.parent) { $0.lastFork = turn }
  }

  /// Makes a process the newest.
  mutating func renew(_ pid: Int32) {
    turns += 1
    byPid[pid]?.turn = turns
    order.append((pid, turns))
    if order.count > 2 * byPid.count + 64 { order.removeAll { byPid[$0.pid]?.turn != $0.turn } }
  }

  /// Changes what is remembered of a process, if it is still known.
  mutating func update(_ pid: Int32, _ change: (inout LivingProcess) -> Void) {
    if let index = byPid.index(forKey: pid) { change(&byPid.values[index]) }
  }

  /// Takes a process out.
  mutating func remove(_ pid: Int32) -> LivingProcess? {
    guard let process = byPid.removeValue(forKey: pid) else { return nil }
    denied.remove(pid)
    if process.folder != nil { openFolders.removeAll { $0 == pid } }
    recentOwners.removeAll { $0 == pid }
    return process
  }

  /// Makes a process the one that owned a wanted socket last.
  mutating func noteOwner(_ pid: Int32) {
    if recentOwners.first == pid { return }
    recentOwners.removeAll { $0 == pid }
    recentOwners.insert(pid, at: 0)
    if recentOwners.count > Self.ownerLimit { recentOwners.removeLast() }
  }

  /// True when a process has made another since `turn`. Of one that has ended meanwhile nothing is known: most such have
  /// answered alone.
  func hasForked(_ identity: ProcessIdentity, since turn: UInt64) -> Bool {
    guard let process = byPid[identity.pid], process.identity == identity else { return false }
    return process.lastFork > turn
  }

  /// Keeps a process's folder open, and closes that of another if there are too many.
  mutating func keepOpen(_ folder: ProcessFolder, of pid: Int32) {
    guard folderLimit > 0, let process = byPid[pid], process.folder == nil else { return }
    update(pid) { $0.folder = folder }
    openFolders.append(pid)
    while openFolders.count > folderLimit {
      let oldest = openFolders.removeFirst()
      if oldest != pid { update(oldest) { $0.folder = nil } }
    }
  }

  /// How many may not be read, as last tried.
  var deniedCount: Int { denied.count }

  /// Notes whether the descriptors of a process may be read.
  mutating func note(_ pid: Int32, isDenied: Bool) {
    if isDenied { denied.insert(pid) } else { denied.remove(pid) }
  }
}
