import Model
import Netfilter

/// What processes run, and which of them are yet to be read: what has started another program, and where what was
/// described runs.
struct ProgramDescriptions {
  /// Programs that were not read when they started, and places of processes, as too many were at once.
  var skipped: UInt64 = 0
  /// Those that run another program and are not yet read.
  private(set) var unread: [Int32] = []
  /// Those that were described and whose place is yet to be read.
  private var unplaced: [ProcessIdentity] = []
  /// Those that were read since they run another program, until they are taken.
  private var renamed: [ProcessIdentity] = []

  /// Those beyond it come without their place.
  private static let unplacedLimit = 1_024

  /// Takes that a process has started another program.
  mutating func noteStart(of pid: Int32) {
    if unread.count < ProcessEvents.limit { unread.append(pid) } else { skipped += 1 }
  }

  /// Reads at most `limit` of those that started a program; true when there are more.
  mutating func readStarted(limit: Int, in observed: inout ObservedProcesses) -> Bool {
    var left = limit
    while left > 0, let pid = unread.popLast() {
      readProgram(pid, in: &observed)
      left -= 1
    }
    return !unread.isEmpty
  }

  /// Takes the processes that were found to run another program since the last call; of very many not all.
  mutating func takeRenamed() -> [ProcessIdentity] {
    defer { renamed.removeAll(keepingCapacity: true) }
    return renamed
  }

  /// What a process is and runs; nil when it ended before it was read.
  ///
  /// Read when the process starts a program, or first owns a socket. A child has what its parent runs until it runs
  /// something else; one that has ended and owned a socket keeps its last one until the room is needed.
  mutating func description(
    of identity: ProcessIdentity, in observed: inout ObservedProcesses
  ) -> ProcessDescription? {
    guard let process = observed.living[identity.pid], process.identity == identity else {
      return observed.ended.description(of: identity)
    }
    if let known = process.description, observed.endsAreReported || stillRuns(known, process, in: &observed) {
      return known
    }
    var description = readDescription(of: identity, process.folder, in: &observed)
    if description != nil {
      // Where it runs can wait longer than a flow: as was known, until `readPlaces()`.
      description?.place = process.description?.place ?? ProcessPlace()
      if unplaced.count < Self.unplacedLimit { unplaced.append(identity) } else { skipped += 1 }
    } else {
      description = process.description
    }
    // What it has started but was not read has no name.
    if description == nil, !process.isUnread {
      description = inherited(by: identity, from: process.parent, in: observed)
    }
    observed.living.update(identity.pid) { $0.description = description }
    return description
  }

  /// True when there are processes for `readPlaces`.
  var hasUnplaced: Bool { !unplaced.isEmpty }

  /// Reads where `limit` of those processes run that were described, and returns what is known of them now. One takes some
  /// 20 us.
  mutating func readPlaces(limit: Int, in observed: inout ObservedProcesses) -> [ProcessDescription] {
    let identities = Set(unplaced.suffix(limit))
    unplaced.removeLast(min(limit, unplaced.count))
    return identities.compactMap { identity in
      guard let process = observed.living[identity.pid], process.identity == identity,
        let folder = try? process.folder ?? observed.files.folder(of: identity.pid),
        observed.files.stat(folder)?.startTime == identity.startTime
      else { return nil }
      let place = observed.files.place(folder)
      observed.living.update(identity.pid) { $0.description?.place = place }
      return observed.living[identity.pid]?.description
    }
  }

  /// Reads who it is that started a program, what it runs, and what it has open.
  ///
  /// Not for every fork: a child that connects at once would have closed its socket meanwhile.
  private mutating func readProgram(_ pid: Int32, in observed: inout ObservedProcesses) {
    guard let process = observed.living[pid] else { return }
    guard let folder = try? process.folder ?? observed.files.folder(of: pid) else { return }
    if process.identity == nil {
      guard let stat = observed.files.stat(folder) else { return }
      observed.living.update(pid) {
        $0.identity = ProcessIdentity(pid: pid, startTime: stat.startTime)
        $0.parent = stat.parent
      }
    }
    observed.living.keepOpen(folder, of: pid)
    guard let identity = observed.living[pid]?.identity else { return }
    if var description = observed.files.description(of: identity, folder) {
      description.place = observed.files.place(folder)
      observed.living.update(pid) { $0.description = description }
      if renamed.count < ProcessEvents.limit { renamed.append(identity) } else { skipped += 1 }
    }
    observed.living.update(pid) { $0.isUnread = false }
    _ = observed.read(pid, rereads: true, seeking: 0)
  }

  /// Without events of processes nobody says when the program changes; its command line does, and costs less than all
  /// of a description. One that is just ending has none any more, and what it ran is its name.
  private func stillRuns(
    _ known: ProcessDescription, _ process: LivingProcess, in observed: inout ObservedProcesses
  ) -> Bool {
    guard let folder = try? process.folder ?? observed.files.folder(of: process.pid),
      let line = observed.files.commandLine(folder)
    else { return true }
    return line.text == known.commandLine
  }

  private func readDescription(
    of identity: ProcessIdentity, _ folder: ProcessFolder?, in observed: inout ObservedProcesses
  ) -> ProcessDescription? {
    guard let folder = try? folder ?? observed.files.folder(of: identity.pid) else { return nil }
    return observed.files.description(of: identity, folder)
  }

  /// What a child runs that has not started a program of its own.
  private func inherited(
    by identity: ProcessIdentity, from parent: Int32, in observed: borrowing ObservedProcesses
  ) -> ProcessDescription? {
    guard var description = observed.living[parent]?.description else { return nil }
    description.identity = identity
    return description
  }
}
