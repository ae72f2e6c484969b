import Model
import Netfilter
import SystemRuntime
import SystemPackage

extension ProcessTable {
  private static let ancestorLimit = 16

  /// What the process is and runs; nil when it ended before it was described, or may not be read at all.
  ///
  /// Remembered. The command line is read again at the next tick, then after pauses of 2, 4, 8 and 16 ticks while it
  /// stays the same, and at once after `recheck(_:)` and when the number of its descriptors changed: a process that
  /// runs another program has its new name at most 16 ticks later. All else is read again only when the command line
  /// differs. An ended process keeps its last description until `drop(_:)`, or until the room is needed.
  ///
  /// With `ancestors`, the command lines of at most 16 ancestors, up to pid 1, as they were when first asked
  /// for: a process that init inherits keeps them.
  public mutating func description(of identity: ProcessIdentity, ancestors: Bool) -> ProcessDescription? {
    let place = descriptions.index(forKey: identity)
    if let place, descriptions.values[place].holds(at: tick, ancestors: ancestors) {
      if descriptions.values[place].exitedAt == nil { unconfirmed.insert(identity) }
      return descriptions.values[place].description(ancestors: ancestors)
    }
    guard var known = place.map({ descriptions.values[$0] }) ?? readDescription(of: identity) else {
      return nil
    }
    var hasChanged = place == nil
    if known.exitedAt == nil, known.nextCheck <= tick {
      update(&known)
      hasChanged = true
    }
    if ancestors, known.ancestors == nil {
      known.ancestors = readAncestors(of: identity)
      hasChanged = true
    }
    if hasChanged { remember(known) }
    return known.description(ancestors: ancestors)
  }

  /// Reads the command lines of these processes again when they are next asked for, whenever their turn is: they
  /// run another program.
  public mutating func recheck(_ renamed: some Sequence<ProcessIdentity>) {
    for identity in renamed {
      guard let known = descriptions[identity], known.exitedAt == nil else { continue }
      descriptions[identity]?.nextCheck = tick
      unconfirmed.insert(identity)
    }
  }

  /// Processes that turn out to run another program, of those that were described by memory alone and whose turn has
  /// come since: one that moves nothing more is not asked for again.
  public mutating func renamed() -> [ProcessDescription] {
    if unconfirmed.isEmpty { return [] }
    let due = unconfirmed.filter { (descriptions[$0]?.nextCheck ?? 0) <= tick }
    unconfirmed.subtract(due)
    return due.compactMap { identity in
      let before = descriptions[identity]?.description.commandLine
      guard let now = description(of: identity, ancestors: false), now.commandLine != before else {
        return nil
      }
      return now
    }
  }

  /// Forgets what is known of an ended process; a living one stays.
  public mutating func drop(_ identity: ProcessIdentity) {
    if descriptions[identity]?.exitedAt != nil { removeDescription(of: identity) }
  }

  /// Reads the command line again, and everything when it differs.
  private mutating func update(_ known: inout RememberedDescription) {
    let identity = known.description.identity
    known.confirm(at: tick)
    do throws(Errno) {
      let file = try OpenFile("\(identity.pid)/cmdline", in: root)
      if try file.status().inode == known.commandLineInode {
        let bytes = try text[..<file.readAll(into: &text)]
        // A process that has ended but is not reaped has no command line any more, and no new one either.
        if bytes.isEmpty || bytes.hashValue == known.commandLineHash { return }
      }
    } catch {
      _ = noteFailure(error)
      return
    }
    guard var current = readDescription(of: identity), !current.description.arguments.isEmpty else { return }
    current.ancestors = known.ancestors
    known = current
  }

  private mutating func readDescription(of identity: ProcessIdentity) -> RememberedDescription? {
    do throws(Errno) {
      // An open folder stays with its process, whoever has the pid later.
      let folder = ProcessFolder(try OpenFile("\(identity.pid)", in: root, isFolder: true))
      guard let stat = try readStat(folder.file) else {
        failed += 1
        return nil
      }
      guard stat.startTime == identity.startTime else {
        vanished += 1
        return nil
      }
      note(identity)
      let owner = try folder.file.status().owner
      let uid = try ProcessStatus.realUser(read("status", folder.file)) ?? owner
      // Where its main thread has ended, others go on with its memory.
      let other = stat.isDead ? separateThreads.substitute(for: folder.file, pid: identity.pid) : nil
      let source = other ?? folder
      let executable = try? text[..<source.file.readLink("exe", into: &text)]
      let path = executable.map { String(decoding: $0, as: UTF8.self) }
      let namespace = NamespaceLink.inode(in: source.file)
      let place = ProcessPlace(
        cgroup: try? read("cgroup", source.file), networkNamespace: namespace, own: ownNamespace)
      let inode = try folder.file.status(of: "cmdline").inode
      let file = try OpenFile("cmdline", in: source.file)
      let bytes = try text[..<file.readAll(into: &text)]
      if bytes.count == text.count { truncated += 1 }
      let line = CommandLine(bytes)
      return RememberedDescription(
        ProcessDescription(
          identity: identity, uid: uid, executable: path, arguments: line?.arguments ?? [],
          commandLine: line?.text ?? stat.substituteName, place: place),
        commandLineInode: inode, commandLineHash: bytes.hashValue, at: tick)
    } catch {
      _ = noteFailure(error)
      return nil
    }
  }

  /// Walks up to pid 1. A parent is never younger than its child: a younger one has only got the pid.
  private mutating func readAncestors(of identity: ProcessIdentity) -> [String] {
    var lines: [String] = []
    var seen: Set<Int32> = []
    var child = identity
    while lines.count < Self.ancestorLimit, seen.insert(child.pid).inserted, let parent = parent(of: child) {
      guard !seen.contains(parent.pid), let known = description(of: parent, ancestors: false) else { break }
      lines.append(known.commandLine)
      child = parent
    }
    return lines
  }

  private mutating func parent(of identity: ProcessIdentity) -> ProcessIdentity? {
    guard let stat = readStat(ofPid: identity.pid), stat.startTime == identity.startTime, stat.parent > 0,
      let parent = readStat(ofPid: stat.parent), parent.startTime <= identity.startTime
    else { return nil }
    return ProcessIdentity(pid: stat.parent, startTime: parent.startTime)
  }
}

extension ProcessTable {
  /// Marks what was known of `identity` as the past.
  mutating func markExited(_ identity: ProcessIdentity) {
    guard descriptions[identity] != nil, descriptions[identity]?.exitedAt == nil else { return }
    descriptions[identity]?.exitedAt = tick
    exitedDescriptions += 1
    unconfirmed.remove(identity)
  }

  private mutating func remember(_ known: RememberedDescription) {
    let identity = known.description.identity
    let bytes = known.byteCount
    removeDescription(of: identity)
    if !hasRoom(for: bytes) { evict() }
    guard hasRoom(for: bytes) else {
      notRemembered += 1
      return
    }
    descriptions[identity] = known
    descriptionBytes += bytes
    if known.exitedAt != nil { exitedDescriptions += 1 }
  }

  private func hasRoom(for bytes: Int) -> Bool {
    descriptions.count < limits.descriptions && descriptionBytes + bytes <= limits.descriptionBytes
  }

  private mutating func removeDescription(of identity: ProcessIdentity) {
    guard let known = descriptions.removeValue(forKey: identity) else { return }
    unconfirmed.remove(identity)
    descriptionBytes -= known.byteCount
    if known.exitedAt != nil { exitedDescriptions -= 1 }
  }

  /// Forgets the half of the ended processes that ended first.
  private mutating func evict() {
    guard exitedDescriptions > 0 else { return }
    let ended = descriptions.compactMap { identity, known in known.exitedAt.map { (identity, $0) } }
      .sorted { ($0.1, $0.0) < ($1.1, $1.0) }
    for (identity, _) in ended.prefix((ended.count + 1) / 2) { removeDescription(of: identity) }
  }
}
