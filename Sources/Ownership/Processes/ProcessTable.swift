import Model
import Netfilter
import SystemRuntime
import SystemPackage

/// The processes of this host: which of them hold a socket, and what they run.
///
/// Kept between ticks. A tick is: `refresh()`, then `holders(of:)`, then `description(of:ancestors:)` for those
/// that matter. Only processes (thread group leaders) are known, never threads.
public struct ProcessTable: ~Copyable {
  /// What the table may keep. What does not fit is counted.
  public struct Limits: Sendable, Hashable {
    /// Processes, and descriptors of one process, that are looked at.
    public var entries = 1_048_576
    /// Socket descriptors that are remembered, of all processes together.
    public var sockets = 1_048_576
    /// Processes whose description is remembered.
    public var descriptions = 65_536
    /// Bytes of text in remembered descriptions.
    public var descriptionBytes = 64 << 20
    /// Remembered descriptors that one call of `holders(of:)` looks at again although nothing hints that they
    /// changed. A call costs some three microseconds for each; all of 10,000 have their turn in 40 calls.
    public var linkChecks = 250

    /// The usual limits.
    public init() {}
  }

  /// The identities that the last `refresh()` found gone, of those that were known.
  public internal(set) var exited: [ProcessIdentity] = []
  /// Processes that ended while they were read, since start.
  public internal(set) var vanished: UInt64 = 0
  /// Processes whose files could not be understood, or not be read for another reason, since start.
  public internal(set) var failed: UInt64 = 0
  /// Command lines that were cut at 64 KiB, since start.
  public internal(set) var truncated: UInt64 = 0
  /// Descriptions that were read but could not be remembered, since start.
  public internal(set) var notRemembered: UInt64 = 0
  /// Holders that the last `holders(of:)` took from memory without looking at the descriptor again.
  public internal(set) var remembered = 0
  /// How many processes were read descriptor by descriptor, since start.
  public internal(set) var scans: UInt64 = 0
  /// Processes, descriptors and sockets beyond the limits, since start.
  public var dropped: UInt64 { entries.dropped + droppedSockets }
  /// Processes whose descriptors may not be read, as last tried.
  public var denied: Int { processes.count { $0.isDenied } }

  package let limits: Limits
  package let path: String
  /// True when the kernel reports how many descriptors a process has (Linux 6.2): nobody has less than one here.
  let countsDescriptors: Bool
  let root: OpenFile
  /// The network namespace of this program; nil where it may not be read.
  let ownNamespace: UInt64?
  private let threads: ThreadCountFile?
  private var pace = ListingPace()
  package var entries: NumberedEntries
  var separateThreads = SeparateThreads()
  // By pid.
  package var processes: [KnownProcess] = []
  var heldSockets = 0
  var droppedSockets: UInt64 = 0
  var exitedSinceRefresh: [ProcessIdentity] = []
  var searches: SearchHistory
  package var descriptions: [ProcessIdentity: RememberedDescription] = [:]
  var descriptionBytes = 0
  /// Remembered living processes that were described without a look at them, until their next turn.
  var unconfirmed: Set<ProcessIdentity> = []
  var exitedDescriptions = 0
  package var tick: UInt64 = 0
  // Buffers that are used again.
  var listing: [NumberedEntry] = []
  package var text = [UInt8](repeating: 0, count: CommandLine.byteLimit)

  /// Opens procfs, which is mounted at `root`.
  public init(root path: String = "/proc", limits: Limits = Limits()) throws(KernelError) {
    do throws(Errno) { root = try OpenFile(path, isFolder: true) } catch {
      throw .failed("opening \(path)", error)
    }
    countsDescriptors = (try? root.status(of: "self/fd").size).map { $0 > 0 } ?? false
    ownNamespace = NamespaceLink.inode(of: "thread-self", in: root)
    threads = ThreadCountFile(root: root)
    searches = SearchHistory(countsDescriptors: countsDescriptors)
    self.path = path
    self.limits = limits
    entries = NumberedEntries(limit: limits.entries)
  }

  /// Reads which processes there are, and notes in `exited` which of the known ones are gone.
  ///
  /// Costs one listing of /proc, or one short file where that says that no thread started or ended (`ListingPace`). A
  /// process is known to be the same by the inode of its folder: the kernel makes another for a new process. Where
  /// that differs its start time decides.
  public mutating func refresh() throws(KernelError) {
    tick += 1
    let lists = pace.isDue(threads?.read(into: &text))
    if lists {
      do throws(Errno) {
        try root.rewind()
        try entries.list(root, into: &listing)
      } catch { throw .failed("listing \(path)", error) }
    }
    exited = exitedSinceRefresh
    exitedSinceRefresh.removeAll(keepingCapacity: true)
    if lists {
      // The kernel lists by number; other file systems do not.
      listing.sort { $0.number < $1.number }
      merge()
    }
    for identity in exited { markExited(identity) }
  }

  /// Walks the old and the new list side by side.
  private mutating func merge() {
    var present: [KnownProcess] = []
    present.reserveCapacity(listing.count)
    var old = 0
    for entry in listing {
      while old < processes.count, processes[old].pid < entry.number {
        forget(processes[old])
        old += 1
      }
      guard old < processes.count, processes[old].pid == entry.number else {
        present.append(KnownProcess(pid: entry.number, folderInode: entry.inode))
        continue
      }
      var process = processes[old]
      old += 1
      if process.folderInode != entry.inode {
        if process.identity == nil || process.identity != identity(ofPid: process.pid) {
          forget(process)
          process = KnownProcess(pid: entry.number, folderInode: entry.inode)
        }
        process.folderInode = entry.inode
      }
      present.append(process)
    }
    while old < processes.count {
      forget(processes[old])
      old += 1
    }
    processes = present
  }

  private mutating func forget(_ process: KnownProcess) {
    heldSockets -= process.sockets.count
    if let identity = process.identity { exited.append(identity) }
  }

  /// Who has the pid now; nil when nobody has, or it may not be read.
  private mutating func identity(ofPid pid: Int32) -> ProcessIdentity? {
    readStat(ofPid: pid).map { ProcessIdentity(pid: pid, startTime: $0.startTime) }
  }
}

extension ProcessTable {
  /// Notes who has its pid now; whoever was known under it before is gone, and what he held with him.
  package mutating func note(_ identity: ProcessIdentity) {
    let index = index(ofPid: identity.pid)
    if index == processes.count || processes[index].pid != identity.pid {
      // Newer than the listing; the next one finds it.
      processes.insert(KnownProcess(pid: identity.pid, folderInode: 0), at: index)
    }
    guard processes[index].identity != identity else { return }
    if let former = processes[index].identity {
      exitedSinceRefresh.append(former)
      heldSockets -= processes[index].sockets.count
      processes[index].sockets = []
      processes[index].threads = []
      processes[index].descriptors = nil
    }
    processes[index].identity = identity
    processes[index].asHolders = [identity]
  }

  /// Where the process with this pid stands in `processes`, or would stand.
  private func index(ofPid pid: Int32) -> Int {
    var range = 0..<processes.count
    while !range.isEmpty {
      let middle = range.lowerBound + range.count / 2
      range = processes[middle].pid < pid ? middle + 1..<range.upperBound : range.lowerBound..<middle
    }
    return range.lowerBound
  }

  /// True while the process lives, as far as the last `refresh` and what was read since show. Whoever is asked for is
  /// in `exited` once it is gone, also where another thread has read who it is.
  public mutating func lives(_ identity: ProcessIdentity) -> Bool {
    let index = index(ofPid: identity.pid)
    guard index < processes.count, processes[index].pid == identity.pid else { return false }
    if processes[index].identity == nil { note(identity) }
    return processes[index].identity == identity
  }

  /// Reads `stat` of whoever has the pid; nil when nobody has, or it may not be read.
  mutating func readStat(ofPid pid: Int32) -> ProcessStat? {
    guard let folder = try? OpenFile("\(pid)", in: root, isFolder: true), let stat = try? readStat(folder)
    else { return nil }
    return stat
  }

  /// Reads `stat` of the process whose folder is open; nil when it makes no sense.
  mutating func readStat(_ folder: borrowing OpenFile) throws(Errno) -> ProcessStat? {
    ProcessStat(try read("stat", folder))
  }

  /// Reads a file of a process, at most as much as the buffer holds.
  package mutating func read(_ name: String, _ folder: borrowing OpenFile) throws(Errno) -> ArraySlice<UInt8>
  {
    let file = try OpenFile(name, in: folder)
    return try text[..<file.readAll(into: &text)]
  }

  /// Counts why a process could not be read; true when that was a lack of permission.
  mutating func noteFailure(_ error: Errno) -> Bool {
    switch error {
    case .noSuchFileOrDirectory, .noSuchProcess: vanished += 1
    case .permissionDenied, .notPermitted: return true
    default: failed += 1
    }
    return false
  }
}

/// Decides when /proc must be listed again.
struct ListingPace {
  /// After so many ticks at most, though nothing seems to have changed: in a pid namespace an end here and a start
  /// outside look like nothing.
  static let longestPause = 16

  private var known: ThreadCount?
  private var calm = 0
  private var pause = 0

  /// Takes the count of this tick, nil where there is none; returns whether to list.
  mutating func isDue(_ count: ThreadCount?) -> Bool {
    calm = count != nil && count == known ? calm + 1 : 0
    known = count
    // Who got a number before the last listing may have been added after it.
    pause = calm > 1 && pause + 1 < Self.longestPause ? pause + 1 : 0
    return pause == 0
  }
}
