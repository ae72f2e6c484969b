import Model

/// The other network namespaces of this host: containers, and whatever else has a network of its own.
///
/// Kept between ticks. A tick is `refresh(_:)`, then `addresses()`, then `sockets(of:_:into:)` for those
/// namespaces that matter, then `release()` if the next tick is far. Only namespaces that a process is in are
/// known: others have no sockets that move anything. What a thread has for itself alone is not seen.
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

  private struct Place {
    var process: Int32
    var reader: NamespaceReader?
  }

  private let limits: Limits
  private let path: String
  private var members: NamespaceMembers
  private var places: [UInt64: Place] = [:]
  private var refused: Set<UInt64> = []
  private var surplus = 0
  private var vanishedNamespaces: UInt64 = 0

  /// Makes a table for the processes of `processes`, which knows none yet. Nil where this program's own namespace
  /// may not be told from others.
  public init?(_ processes: borrowing ProcessTable, limits: Limits = Limits()) {
    guard let own = processes.ownNamespace else { return nil }
    self.limits = limits
    path = processes.path
    members = NamespaceMembers(own: own)
  }

  /// Takes the processes as `processes` listed them last, and which are known to run another program since then; what
  /// has no process any more is closed.
  ///
  /// Costs a link read for each new process, and now and then one for an old one.
  public mutating func refresh(_ processes: borrowing ProcessTable, renamed: [ProcessIdentity] = []) {
    members.refresh(processes.processes, renamed: Set(renamed.map(\.pid)), in: processes.root)
    let present = members.representatives
    for inode in places.keys where present[inode] == nil { close(inode) }
    for (inode, process) in present where places[inode] != nil { places[inode]?.process = process }
    surplus = max(0, present.count - limits.namespaces)
    guard places.count < present.count else { return }
    let unknown = present.keys.filter { places[$0] == nil }.sorted()
    for inode in unknown.prefix(limits.namespaces - places.count) {
      places[inode] = Place(process: present[inode] ?? 0)
    }
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
    for inode in places.keys { places[inode]?.reader = nil }
  }

  private mutating func ask(
    _ inode: UInt64, _ question: (NamespaceReader) throws(NamespaceReader.Failure) -> Void
  ) {
    guard let first = places[inode]?.process else { return }
    do throws(NamespaceReader.Failure) {
      if try ask(inode, through: first, question) { return }
      // It has just ended, or left; others may be there still.
      for process in members.others(in: inode) {
        if try ask(inode, through: process, question) { return }
      }
      // Where all that were there longest have ended at once the namespace ends.
      vanishedNamespaces += 1
    } catch { refused.insert(inode) }
  }

  /// False when the process is not there any more. Errors: `refused`.
  private mutating func ask(
    _ inode: UInt64, through process: Int32,
    _ question: (NamespaceReader) throws(NamespaceReader.Failure) -> Void
  ) throws(NamespaceReader.Failure) -> Bool {
    let root = "\(path)/\(process)"
    do throws(NamespaceReader.Failure) {
      if let reader = places[inode]?.reader {
        reader.use(root: root)
        try question(reader)
      } else {
        let reader = try NamespaceReader(inode, root: root, socketLimit: limits.sockets)
        places[inode]?.reader = reader
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
