/// What is set aside for the BPF program.
public struct WitnessRoom: Sendable, Hashable {
  /// Pairs of socket and process, a power of two; each takes 64 bytes.
  public var slots: UInt32 = 1 << 17
  /// Those of them that are used first, a power of two; only these take memory of the process while few are in use.
  public var firstSlots: UInt32 = 1 << 13
  /// Bytes of records that may wait, a power of two.
  public var ringBytes: UInt32 = 1 << 21
  /// From so many on the reader is woken.
  public var wakeBytes: UInt32 = 1 << 19

  /// The usual room.
  public init() {}

  package init(slots: UInt32, ringBytes: UInt32, wakeBytes: UInt32) {
    (self.slots, self.ringBytes, self.wakeBytes) = (slots, ringBytes, wakeBytes)
    firstSlots = min(firstSlots, slots)
  }
}

/// What the BPF program had no room for.
public struct WitnessLosses: Sendable, Hashable {
  /// Uses of a socket that found no slot, whose payload is not counted.
  public var unplaced: UInt64 = 0
  /// Of these what was sent.
  public var unplacedSent: UInt64 = 0
  /// And what was received.
  public var unplacedReceived: UInt64 = 0
  /// Records that did not fit in the ring.
  public var ringFull: UInt64 = 0
  /// First uses of sockets among them; each is tried again with the next use of the socket.
  public var unreported: UInt64 = 0

  /// Makes losses; none by default.
  package init(
    unplaced: UInt64 = 0, unplacedSent: UInt64 = 0, unplacedReceived: UInt64 = 0, ringFull: UInt64 = 0,
    unreported: UInt64 = 0
  ) {
    self.unplaced = unplaced
    self.unplacedSent = unplacedSent
    self.unplacedReceived = unplacedReceived
    self.ringFull = ringFull
    self.unreported = unreported
  }
}
