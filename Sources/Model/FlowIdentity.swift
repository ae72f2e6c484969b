/// What distinguishes an entry of the connection table from an earlier one of the same ends.
public struct FlowIdentity: Sendable, Hashable {
  /// The kernel's identifier of the entry (CTA_ID); zero where the source has none (/proc).
  public var id: UInt32
  /// The conntrack zone (CTA_ZONE); zero is the default zone.
  public var zone: UInt16
  /// The packets that opened the flow, before address translation.
  public var original: FlowTuple
  /// Not zero for an entry that was made a moment after one of the same identifier, zone and tuple had ended:
  /// distinguishes the two.
  public var generation: UInt32

  /// Makes an identity.
  public init(id: UInt32, zone: UInt16 = 0, original: FlowTuple, generation: UInt32 = 0) {
    self.id = id
    self.zone = zone
    self.original = original
    self.generation = generation
  }

  /// Zone and generation are mostly zero.
  public func hash(into hasher: inout Hasher) {
    hasher.combine(UInt64(id) << 32 | UInt64(generation ^ UInt32(zone) << 16))
    hasher.combine(original)
  }
}

extension Flow {
  /// What distinguishes this entry from an earlier one of the same ends.
  public var identity: FlowIdentity {
    FlowIdentity(id: id, zone: zone, original: original, generation: generation)
  }
}
