import Netfilter
import SystemRuntime
import SystemPackage

/// Which processes are in which other network namespace.
///
/// Kept between ticks. One that was just started may still be on its way into a namespace (setns(2), unshare(2)):
/// a new process is looked at 32 ticks long, then, as those that were there before us, after pauses that grow up
/// to 64 ticks. Who enters one runs another program there, mostly: with that, where it is reported, it counts as new.
/// A thread may be elsewhere than its process: with some of these looks its threads are looked at as well.
struct NamespaceMembers {
  private struct Member {
    let pid: Int32
    let folderInode: UInt64
    /// Nil for our own, and where it may not be read.
    var namespace: UInt64?
    /// When it was first seen there.
    var joined: UInt64 = 0
    var nextLook: UInt64
    /// How many more ticks it counts as new.
    var newTicks: UInt64
    var pause: UInt64 = 1
  }

  private static let longestPause: UInt64 = 64
  private static let newTicks: UInt64 = 32
  /// How many processes of a namespace are kept to be asked.
  private static let most = 5
  /// The most threads that are looked at of one process, and in one tick: 2 to 5 us each.
  static let threadLimits = (process: 64, tick: 1_024)

  /// Processes that ended while they were looked at, since start.
  private(set) var vanished: UInt64 = 0
  /// How many links were read, since start.
  private(set) var looks: UInt64 = 0
  /// The other namespaces, each with the process that has been there longest, of several the first by pid: who came last
  /// may be gone next. Where there is no process, a thread: its number leads to its namespace as a pid does.
  private(set) var representatives: [UInt64: Int32] = [:]
  // Those that have been there longest come first.
  private var inside: [UInt64: [Member]] = [:]
  private let own: UInt64
  // By pid.
  private var members: [Member] = []
  /// By pid, the other namespaces that only threads of a process are in, as far as is known, each with the first of them.
  /// Not in `Member`: few have any, and all are copied in each tick.
  private var threads: [Int32: [UInt64: Int32]] = [:]
  private var tick: UInt64 = 0
  private var threadsLeft = 0
  private var entries = NumberedEntries(limit: threadLimits.process)
  private var listing: [NumberedEntry] = []

  /// Makes a list without processes; `own` is the namespace that is not another.
  init(own: UInt64) { self.own = own }

  /// Takes the processes as they were listed last, by pid, and which are known to run another program since then.
  mutating func refresh(_ processes: [KnownProcess], renamed: Set<Int32> = [], in root: borrowing OpenFile) {
    tick += 1
    threadsLeft = Self.threadLimits.tick
    var present: [Member] = []
    present.reserveCapacity(processes.count)
    inside.removeAll(keepingCapacity: true)
    var old = members.startIndex
    for process in processes {
      while old < members.endIndex, members[old].pid < process.pid { old += 1 }
      var member = Member(
        pid: process.pid, folderInode: process.folderInode, nextLook: tick,
        newTicks: tick == 1 ? 0 : Self.newTicks)
      if old < members.endIndex, members[old].pid == process.pid,
        members[old].folderInode == process.folderInode
      {
        member = members[old]
        if renamed.contains(process.pid) {
          (member.nextLook, member.newTicks, member.pause) = (tick, Self.newTicks, 1)
        }
      } else if !threads.isEmpty {
        threads[process.pid] = nil
      }
      if member.nextLook <= tick { look(&member, root) }
      if let namespace = member.namespace { keep(member, in: namespace) }
      present.append(member)
    }
    members = present
    placeThreads(root)
    representatives = inside.compactMapValues(\.first?.pid)
  }

  /// Where there is no process, a thread stands for a namespace, the first by its process.
  private mutating func placeThreads(_ root: borrowing OpenFile) {
    if threads.isEmpty { return }
    let pids = Set(members.map(\.pid))
    threads = threads.filter { pids.contains($0.key) }
    for (pid, elsewhere) in threads.sorted(by: { $0.key < $1.key }) {
      for (namespace, thread) in elsewhere where inside[namespace] == nil {
        // It may have left since its process was looked at.
        looks += 1
        guard NamespaceLink.inode(of: "\(pid)/task/\(thread)", in: root) == namespace else { continue }
        inside[namespace] = [Member(pid: thread, folderInode: 0, nextLook: 0, newTicks: 0)]
      }
    }
  }

  /// Other processes of a namespace than the one that stands for it, the longest there first, four at most: when that one
  /// is gone.
  func others(in namespace: UInt64) -> [Int32] { inside[namespace, default: []].dropFirst().map(\.pid) }

  /// They come by pid, so that of several that came together the first is kept first.
  private mutating func keep(_ member: Member, in namespace: UInt64) {
    var kept = inside[namespace, default: []]
    kept.insert(member, at: kept.firstIndex { member.joined < $0.joined } ?? kept.endIndex)
    if kept.count > Self.most { kept.removeLast() }
    inside[namespace] = kept
  }

  private mutating func look(_ member: inout Member, _ root: borrowing OpenFile) {
    looks += 1
    let before = member.namespace
    member.namespace = nil
    do throws(Errno) {
      let namespace = try NamespaceLink.read("\(member.pid)/ns/net", in: root)
      if namespace != own { member.namespace = namespace }
      if member.namespace != before { member.joined = tick }
    } catch {
      if error == .noSuchFileOrDirectory || error == .noSuchProcess { vanished += 1 }
    }
    // Of a new process with its looks 0, 1, 2, 4, 8, 16 and 32, then with each.
    if (Self.newTicks - member.newTicks).nonzeroBitCount <= 1 { lookAtThreads(of: member, root) }
    if member.newTicks > 0 {
      member.newTicks -= 1
      member.nextLook = tick + 1
      return
    }
    // At the longest pause each has a tick of its own, so that not all are looked at together.
    let turn = (tick &+ UInt64(truncatingIfNeeded: member.pid)) % member.pause
    member.nextLook = tick + member.pause - (member.pause == Self.longestPause ? turn : 0)
    member.pause = min(member.pause * 4, Self.longestPause)
  }

  /// One question for a process with a single thread, one more for each other thread.
  private mutating func lookAtThreads(of member: Member, _ root: borrowing OpenFile) {
    let path = "\(member.pid)/task"
    guard threadsLeft > 0 else { return }
    threads[member.pid] = nil
    // Two links, and one for each thread.
    guard let status = try? root.status(of: path), status.links > 3,
      let folder = try? OpenFile(path, in: root, isFolder: true),
      (try? entries.list(folder, into: &listing)) != nil
    else { return }
    threadsLeft -= listing.count
    for thread in listing.map(\.number).sorted() where thread != member.pid {
      looks += 1
      guard let namespace = try? NamespaceLink.read("\(thread)/ns/net", in: folder), namespace != own,
        namespace != member.namespace,
        threads[member.pid]?[namespace] == nil
      else { continue }
      threads[member.pid, default: [:]][namespace] = thread
    }
  }
}
