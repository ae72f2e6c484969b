import Model

extension OwnerFinder {
  /// What a process is and runs; nil when it ended before it was read.
  ///
  /// Read when the process starts a program, or first owns a socket. A child has what its parent runs until it runs
  /// something else; one that has ended and owned a socket keeps its last one until the room is needed.
  public mutating func description(of identity: ProcessIdentity) -> ProcessDescription? {
    guard let process = living[identity.pid], process.identity == identity else {
      return ended.description(of: identity)
    }
    // Without news of processes nobody says when the program changes.
    if eventDescriptor != nil, let known = process.description { return known }
    var description = readDescription(of: identity, process.folder) ?? process.description
    // What it has started but was not read has no name.
    if description == nil, !process.isUnread { description = inherited(by: identity, from: process.parent) }
    living.update(identity.pid) { $0.description = description }
    return description
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
