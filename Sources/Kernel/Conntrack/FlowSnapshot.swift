import Model

/// The connection table at one moment, with the entries that have ended since the moment before.
public struct FlowSnapshot: Sendable {
  /// The entries that live, but for those of `closedCount`, then those that ended, these with their final counters.
  public private(set) var flows: [Flow] = []
  /// How many of `flows` live.
  public private(set) var livingCount = 0
  /// How many other entries live that have closed; nil where `flows` has all.
  public internal(set) var closedCount: Int?
  /// Whose flows these are, where that was seen since the moment before.
  public private(set) var sightings: [Sighting] = []
  /// What the processes of the sightings run, as far as that could be read; known also when they have ended since.
  public private(set) var descriptions: [ProcessIdentity: ProcessDescription] = [:]
  /// Processes that run another program since the moment before, where the kernel tells.
  public private(set) var renamed: [ProcessIdentity] = []
  /// True when all entries that were made or have ended since the moment before are known, so that an entry that has the
  /// identity of one before is the same.
  public internal(set) var hasAllNews = false

  /// Makes an empty snapshot.
  public init() {}

  /// Makes a snapshot of the given entries.
  public init(
    living: [Flow], ended: [Flow] = [], sightings: [Sighting] = [],
    descriptions: [ProcessIdentity: ProcessDescription] = [:], hasAllNews: Bool = false,
    closedCount: Int? = nil
  ) {
    flows = living + ended
    self.sightings = sightings
    self.descriptions = descriptions
    self.hasAllNews = hasAllNews
    self.closedCount = closedCount
    livingCount = living.count
  }

  /// Replaces everything: `fill` gives the living entries. Memory is used again.
  mutating func replace<Failure: Error>(fill: (inout [Flow]) throws(Failure) -> Void) throws(Failure) {
    flows.removeAll(keepingCapacity: true)
    livingCount = 0
    hasAllNews = false
    closedCount = nil
    (sightings, descriptions, renamed) = ([], [:], [])
    try fill(&flows)
    livingCount = flows.count
  }

  /// Leaves living entries out.
  mutating func removeLiving(where isWrong: (Flow) -> Bool) {
    flows.removeLast(flows.count - livingCount)
    flows.removeAll(where: isWrong)
    livingCount = flows.count
  }

  /// Adds what was heard.
  mutating func add(_ heard: FlowLog.Batch) {
    flows.removeLast(flows.count - livingCount)
    flows += heard.ended
    sightings = heard.sightings
    descriptions = heard.descriptions
    renamed = heard.renamed
  }
}
