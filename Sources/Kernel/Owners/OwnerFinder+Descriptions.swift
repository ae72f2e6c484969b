import Model

extension OwnerFinder {
  /// Those beyond it come without their place.
  private static let unplacedLimit = 1_024

  /// What a process is and runs; nil when it ended before it was read.
  ///
  /// Read when the process starts a program, or first owns a socket. A child has what its parent runs until it runs
  /// something else; one that has ended and owned a socket keeps its last one until the room is needed.
  public mutating func description(of identity: ProcessIdentity) -> ProcessDescription? {
    guard let process = living[identity.pid], process.identity == identity else {
      return ended.description(of: identity)
    }
    if let known = process.description, eventDescriptor != nil || stillRuns(known, process) { return known }
    var description = readDescription(of: identity, process.folder)
    if description != nil {
      // Where it runs can wait longer than a flow: as was known, until `readPlaces()`.
      description?.place = process.description?.place ?? ProcessPlace()
      if unplaced.count < Self.unplacedLimit { unplaced.append(identity) } else { counters.unread += 1 }
    } else {
      description = process.description
    }
    // What it has started but was not read has no name.
    if description == nil, !process.isUnread { description = inherited(by: identity, from: process.parent) }
    living.update(identity.pid) { $0.description = description }
    return description
  }

  /// True when there are processes for `readPlaces`.
  var hasUnplaced: Bool { !unplaced.isEmpty }

  /// Reads where `limit` of those processes run that were described, and returns what is known of them now. One takes some
  /// 20 us.
  mutating func readPlaces(limit: Int = .max) -> [ProcessDescription] {
    let identities = Set(unplaced.suffix(limit))
    unplaced.removeLast(min(limit, unplaced.count))
    return identities.compactMap { identity in
      guard let process = living[identity.pid], process.identity == identity,
        let folder = try? process.folder ?? files.folder(of: identity.pid),
        files.stat(folder)?.startTime == identity.startTime
      else { return nil }
      let place = files.place(folder)
      living.update(identity.pid) { $0.description?.place = place }
      return living[identity.pid]?.description
    }
  }

  /// Without news of processes nobody says when the program changes; its command line does, and costs less than all of
  /// a description. One that is just ending has none any more, and what it ran is its name.
  private mutating func stillRuns(_ known: ProcessDescription, _ process: LivingProcess) -> Bool {
    guard let folder = try? process.folder ?? files.folder(of: process.pid),
      let line = files.commandLine(folder)
    else { return true }
    return line.text == known.commandLine
  }

  private mutating func readDescription(
    of identity: ProcessIdentity, _ folder: ProcessFolder?
  ) -> ProcessDescription? {
    guard let folder = try? folder ?? files.folder(of: identity.pid) else { return nil }
    return files.description(of: identity, folder)
  }

  /// What a child runs that has not started a program of its own.
  private func inherited(by identity: ProcessIdentity, from parent: Int32) -> ProcessDescription? {
    guard var description = living[parent]?.description else { return nil }
    description.identity = identity
    return description
  }
}
