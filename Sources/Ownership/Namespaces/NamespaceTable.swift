import Model
import Netfilter

/// The other network namespaces of this host: containers, and whatever else has a network of its own.
///
/// Kept between ticks. A tick is `refresh(_:)`, then `addresses()`, then `sockets(of:_:into:)` for those
/// namespaces that matter, then `release()` if the next tick is far. It knows the namespaces that a process is
/// in, and those mounted on files (`NamespaceEntrance.folders`). A process outside may hold the sockets of these.
public struct NamespaceTable: ~Copyable {
  /// What the table may keep. What does not fit is counted.
  public struct Limits: Sendable, Hashable {
    /// Namespaces that are looked into; each takes two descriptors.
    public var namespaces = 256
    /// Sockets that are read of one namespace.
    public var sockets = 262_144

    /// The usual limits.
    public init() {}
  }

  /// Namespaces that answered when last asked.
  public private(set) var answering = 0
  /// Namespaces beyond the limit, and those that did not answer when last asked: denied, or too many open files.
  public var unread: Int { surplus + refused.count }
  /// Namespaces of whose processes none that was tried was there any more, and processes that ended while they were
  /// looked at, since start.
  public var vanished: UInt64 { members.vanished + vanishedNamespaces }
  /// Messages and lines that could not be understood, since start.
  public private(set) var malformed: UInt64 = 0
  /// Sockets beyond the limit, since start.
  public private(set) var dropped: UInt64 = 0

  private let limits: Limits
  private let path: String
  private var members: NamespaceMembers
  private let own: UInt64
  private let folders: [String]
  private var mounted: [UInt64: NamespaceEntrance] = [:]
  // Those that are looked into, with what is open of them.
  private var places: [UInt64: NamespaceReader?] = [:]
  private var refused: Set<UInt64> = []
  private var surplus = 0
  private var vanishedNamespaces: UInt64 = 0

  /// Makes a table for the processes of `processes`, which knows none yet. Nil where this program's own namespace
  /// may not be distinguished from others.
  public init?(_ processes: borrowing ProcessTable, limits: Limits = Limits()) {
    guard let own = processes.ownNamespace else { return nil }
    self.limits = limits
    path = processes.path
    self.own = own
    folders = path == "/proc" ? NamespaceEntrance.allowedFolders : []
    members = NamespaceMembers(own: own)
  }

  /// Takes the processes as `processes` listed them last, and which are known to run another program since then; what
  /// has no process any more, and no file, is closed.
  ///
  /// Costs a link read for each new process, and now and then one for an old one.
  public mutating func refresh(_ processes: borrowing ProcessTable, renamed: [ProcessIdentity] = []) {
    members.refresh(processes.processes, renamed: Set(renamed.map(\.pid)), in: processes.root)
    mounted = NamespaceEntrance.mounted(in: folders, own: own)
    let inhabited = members.representatives
    let empty = mounted.keys.filter { inhabited[$0] == nil }
    for inode in places.keys where inhabited[inode] == nil && mounted[inode] == nil { close(inode) }
    surplus = max(0, inhabited.count + empty.count - limits.namespaces)
    guard places.count < inhabited.count + empty.count else { return }
    // Where there are processes there is more to be seen.
    let unknown = (inhabited.keys.sorted() + empty.sorted()).filter { places[$0] == nil }
    for inode in unknown.prefix(limits.namespaces - places.count) { places[inode] = .some(nil) }
  }

  /// The addresses of each namespace, as they are now.
  public mutating func addresses() -> [UInt64: LocalAddresses] {
    refused.removeAll(keepingCapacity: true)
    var answers: [UInt64: LocalAddresses] = [:]
    for inode in places.keys.sorted() {
      ask(inode) { reader throws(NamespaceReader.Failure) in answers[inode] = try reader.addresses() }
    }
    answering = answers.count
    return answers
  }

  /// The sockets of a namespace that carry `transports`, as `SocketTable` reads them; none when it is gone.
  public mutating func sockets(of inode: UInt64, _ transports: Set<TransportProtocol>) -> [SocketEntry] {
    var sockets: [SocketEntry] = []
    var more: (malformed: UInt64, dropped: UInt64) = (0, 0)
    ask(inode) { reader throws(NamespaceReader.Failure) in
      let before = (reader.malformed, reader.dropped)
      defer {
        more.malformed += reader.malformed - before.0
        more.dropped += reader.dropped - before.1
      }
      try reader.read(transports, into: &sockets)
    }
    malformed += more.malformed
    dropped += more.dropped
    return sockets
  }

  /// Closes what is kept open between ticks. It keeps namespaces alive, and with them their interfaces, after
  /// their last process: too long if the next tick is far.
  public mutating func release() {
    for inode in places.keys { places[inode] = .some(nil) }
  }

  private mutating func ask(
    _ inode: UInt64, _ question: (NamespaceReader) throws(NamespaceReader.Failure) -> Void
  ) {
    guard places[inode] != nil else { return }
    let first = members.representatives[inode].map { [$0] } ?? []
    do throws(NamespaceReader.Failure) {
      // The first may just have ended, or left; others may be there still.
      for process in first + members.others(in: inode) {
        if try ask(inode, through: .process("\(path)/\(process)"), question) { return }
      }
      if let file = mounted[inode], try ask(inode, through: file, question) { return }
      // Where all that were there longest have ended at once the namespace ends.
      vanishedNamespaces += 1
    } catch { refused.insert(inode) }
  }

  /// False when the process is not there any more. Errors: `refused`.
  private mutating func ask(
    _ inode: UInt64, through entrance: NamespaceEntrance,
    _ question: (NamespaceReader) throws(NamespaceReader.Failure) -> Void
  ) throws(NamespaceReader.Failure) -> Bool {
    do throws(NamespaceReader.Failure) {
      if let reader = places[inode] ?? nil {
        reader.use(entrance)
        try question(reader)
      } else {
        let reader = try NamespaceReader(inode, entrance, socketLimit: limits.sockets)
        places[inode] = reader
        try question(reader)
      }
      return true
    } catch {
      guard case .vanished = error else { throw error }
      return false
    }
  }

  private mutating func close(_ inode: UInt64) {
    places[inode] = nil
    refused.remove(inode)
  }
}
