import Model

/// The connection table at one moment, with the entries that have ended since the moment before.
public struct FlowSnapshot: Sendable {
  /// The entries that live, but for those of `closedCount`, then those that ended, these with their final counters.
  public private(set) var flows: [Flow] = []
  /// How many of `flows` live.
  public private(set) var livingCount = 0
  /// How many other entries live that have closed; nil where `flows` has all.
  public package(set) var closedCount: Int?
  /// Whose flows these are, where that was seen since the moment before.
  public private(set) var earlyOwners: [EarlyOwner] = []
  /// What the processes of `earlyOwners` run, as far as that could be read; known also when they have ended since.
  public private(set) var descriptions: [ProcessIdentity: ProcessDescription] = [:]
  /// Processes that run another program since the moment before, where the kernel reports them.
  public private(set) var renamed: [ProcessIdentity] = []
  /// True when all entries that were made or have ended since the moment before are known, so that an entry that has the
  /// identity of one before is the same.
  public package(set) var hasAllEvents = false

  /// So many entries need not have been used.
  private static let spare = 4_096

  /// Makes an empty snapshot.
  public init() {}

  /// Makes a snapshot of the given entries.
  public init(
    living: [Flow], ended: [Flow] = [], earlyOwners: [EarlyOwner] = [],
    descriptions: [ProcessIdentity: ProcessDescription] = [:], hasAllEvents: Bool = false,
    closedCount: Int? = nil
  ) {
    flows = living + ended
    self.earlyOwners = earlyOwners
    self.descriptions = descriptions
    self.hasAllEvents = hasAllEvents
    self.closedCount = closedCount
    livingCount = living.count
  }

  /// Replaces everything: `fill` gives the living entries. Memory is used again, unless much of it was not used last.
  package mutating func replace<Failure: Error>(fill: (inout [Flow]) throws(Failure) -> Void) throws(Failure)
  {
    flows.removeAll(keepingCapacity: flows.capacity <= 2 * flows.count + Self.spare)
    livingCount = 0
    hasAllEvents = false
    closedCount = nil
    (earlyOwners, descriptions, renamed) = ([], [:], [])
    try fill(&flows)
    livingCount = flows.count
  }

  /// Leaves living entries out.
  package mutating func removeLiving(where isWrong: (Flow) -> Bool) {
    flows.removeLast(flows.count - livingCount)
    flows.removeAll(where: isWrong)
    livingCount = flows.count
  }

  /// Adds the entries that ended, and what was seen of new ones, in the place of what was added before.
  package mutating func add(
    ended: [Flow], earlyOwners: [EarlyOwner], descriptions: [ProcessIdentity: ProcessDescription],
    renamed: [ProcessIdentity]
  ) {
    flows.removeLast(flows.count - livingCount)
    flows += ended
    self.earlyOwners = earlyOwners
    self.descriptions = descriptions
    self.renamed = renamed
  }
}
