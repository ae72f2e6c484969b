import Model
import Netfilter
import SystemRuntime
import SystemPackage

/// An open folder /proc/PID. It stays with its process, whoever has the pid later.
final class ProcessFolder {
  let file: OpenFile

  init(_ file: consuming OpenFile) { self.file = file }
}

/// Reads what an owner's finder wants of /proc, through buffers that are used again, and counts what it asks.
struct ProcessFiles: ~Copyable {
  /// Questions to the kernel about descriptors: links read, folders listed or looked at, since start.
  private(set) var looks: UInt64 = 0
  /// Entries beyond the limit, since start.
  var dropped: UInt64 { entries.dropped }

  let root: OpenFile
  /// The network namespace of this program; nil where it may not be read.
  private let ownNamespace: UInt64?
  private var entries: NumberedEntries
  private var listing: [NumberedEntry] = []
  private var text = [UInt8](repeating: 0, count: CommandLine.byteLimit)

  init(root path: String, limit: Int) throws(KernelError) {
    do throws(Errno) { root = try OpenFile(path, isFolder: true) } catch {
      throw .failed("opening \(path)", error)
    }
    ownNamespace = NamespaceLink.inode(of: "thread-self", in: root)
    entries = NumberedEntries(limit: limit)
  }

  /// The pids there are.
  mutating func pids() throws(Errno) -> [Int32] {
    try root.rewind()
    try entries.list(root, into: &listing)
    // A process costs some half a microsecond.
    looks += 1 + UInt64(listing.count / 4)
    return listing.map(\.number)
  }

  /// The folder of a process.
  mutating func folder(of pid: Int32) throws(Errno) -> ProcessFolder {
    looks += 1
    return ProcessFolder(try OpenFile("\(pid)", in: root, isFolder: true))
  }

  /// How many descriptors a process has open (0 before Linux 6.2), and which user it belongs to.
  mutating func status(of pid: Int32) throws(Errno) -> OpenFile.Status {
    looks += 1
    return try root.status(of: "\(pid)/fd")
  }

  /// The inode of the socket behind a descriptor; 0 for anything else.
  mutating func socket(_ number: Int32, of pid: Int32, _ folder: ProcessFolder?) throws(Errno) -> UInt64 {
    looks += 1
    let count =
      if let folder { try folder.file.readLink("fd/\(number)", into: &text) } else {
        try root.readLink("\(pid)/fd/\(number)", into: &text)
      }
    return SocketLink.inode(text[..<count]) ?? 0
  }

  /// Calls `body` with the numbers of a process's descriptors, and how to read what is behind one, until it returns
  /// false; returns how many descriptors the kernel said there are.
  mutating func forEachDescriptor(
    of pid: Int32, _ folder: ProcessFolder?,
    _ body: (_ number: Int32, _ socket: () throws(Errno) -> UInt64) throws(Errno) -> Bool
  ) throws(Errno) -> Int64 {
    looks += 2
    let descriptors =
      if let folder { try OpenFile("fd", in: folder.file, isFolder: true) } else {
        try OpenFile("\(pid)/fd", in: root, isFolder: true)
      }
    let count = try descriptors.status().size
    try entries.list(descriptors, into: &listing)
    looks += UInt64(listing.count / 4)
    for entry in listing {
      let goesOn = try body(entry.number) { () throws(Errno) in
        looks += 1
        let length = try descriptors.readLink("\(entry.number)", into: &text)
        return SocketLink.inode(text[..<length]) ?? 0
      }
      if !goesOn { break }
    }
    return count
  }

  /// When a process started and who made it; nil when that cannot be read.
  mutating func stat(_ folder: ProcessFolder) -> ProcessStat? {
    guard let bytes = try? read("stat", folder) else { return nil }
    return ProcessStat(bytes)
  }

  /// What a process runs; nil when that cannot be read, or there is nothing: a kernel thread, or one that is ending.
  mutating func commandLine(_ folder: ProcessFolder) -> CommandLine? {
    (try? read("cmdline", folder)).flatMap { CommandLine($0) }
  }

  /// Where a process runs; nothing of what may not be read.
  mutating func place(_ folder: ProcessFolder) -> ProcessPlace {
    let namespace = NamespaceLink.inode(in: folder.file)
    return ProcessPlace(
      cgroup: try? read("cgroup", folder), networkNamespace: namespace, own: ownNamespace)
  }

  /// What a process is and runs, but not where; nil when it has ended, or may not be read.
  mutating func description(of identity: ProcessIdentity, _ folder: ProcessFolder) -> ProcessDescription? {
    do throws(Errno) {
      guard let stat = try ProcessStat(read("stat", folder)), !stat.isDead,
        stat.startTime == identity.startTime
      else { return nil }
      let line = try CommandLine(read("cmdline", folder))
      let owner = try folder.file.status().owner
      let uid = try ProcessStatus.realUser(read("status", folder)) ?? owner
      let executable = try? text[..<folder.file.readLink("exe", into: &text)]
      return ProcessDescription(
        identity: identity, uid: uid, executable: executable.map { String(decoding: $0, as: UTF8.self) },
        arguments: line?.arguments ?? [], commandLine: line?.text ?? stat.substituteName)
    } catch { return nil }
  }

  /// The number that the kernel last gave to a process or thread (proc_loadavg(5), the last field); nil when it does
  /// not show it.
  mutating func lastPid() -> Int32? {
    guard let file = try? OpenFile("loadavg", in: root), let count = try? file.readAll(into: &text) else {
      return nil
    }
    return text[..<count].split(whereSeparator: { $0 == 0x20 || $0 == 0x0a }).last.flatMap(
      Int32.init(decimal:))
  }

  /// The process that a process or thread belongs to; nil when it has ended.
  mutating func leader(_ folder: ProcessFolder) -> Int32? {
    guard let status = try? read("status", folder) else { return nil }
    return ProcessStatus.leader(status)
  }

  private mutating func read(_ name: String, _ folder: ProcessFolder) throws(Errno) -> ArraySlice<UInt8> {
    let file = try OpenFile(name, in: folder.file)
    return try text[..<file.readAll(into: &text)]
  }
}
