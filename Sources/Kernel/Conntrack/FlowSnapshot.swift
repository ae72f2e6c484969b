import Model

/// The connection table at one moment, with the entries that have ended since the moment before.
public struct FlowSnapshot: Sendable {
  /// The entries that live, then those that ended, these with their final counters.
  public private(set) var flows: [Flow] = []
  /// How many of `flows` live.
  public private(set) var livingCount = 0
  /// Whose flows these are, where that was seen since the moment before.
  public private(set) var sightings: [Sighting] = []

  /// Makes an empty snapshot.
  public init() {}

  /// Makes a snapshot of the given entries.
  public init(living: [Flow], ended: [Flow] = [], sightings: [Sighting] = []) {
    flows = living + ended
    self.sightings = sightings
    livingCount = living.count
  }

  /// Replaces everything: `fill` gives the living entries, `ended` follow. Memory is used again.
  mutating func replace<Failure: Error>(
    ended: [Flow] = [], sightings: [Sighting] = [], fill: (inout [Flow]) throws(Failure) -> Void
  ) throws(Failure) {
    flows.removeAll(keepingCapacity: true)
    livingCount = 0
    try fill(&flows)
    livingCount = flows.count
    flows += ended
    self.sightings = sightings
  }
}
