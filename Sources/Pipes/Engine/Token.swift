/// What the kernel hands back with an event: which descriptor of which connection.
///
/// A slot is used again by later connections; the generation distinguishes them, so that an event which was already on
/// its way finds nobody.
struct Token: Sendable, Hashable {
  /// What a descriptor is.
  enum Kind: Sendable, Hashable {
    /// The worker's own waker.
    case waker
    /// A listener, `slot` being the pipe's identifier and `generation` its index there.
    case listener
    /// The client's socket.
    case client
    /// An attempt to reach the target, by the index of the address.
    case attempt(Int)
  }

  /// The place in the worker's list.
  var slot: UInt32
  /// How often the place was used, in 24 bits.
  var generation: UInt32
  /// Which descriptor.
  var kind: Kind

  /// Makes a token.
  init(slot: Int, generation: UInt32, _ kind: Kind) {
    self.slot = UInt32(truncatingIfNeeded: slot)
    self.generation = generation & 0xff_ffff
    self.kind = kind
  }

  /// Reads a token.
  init(_ raw: UInt64) {
    slot = UInt32(truncatingIfNeeded: raw >> 32)
    generation = UInt32(truncatingIfNeeded: raw >> 8) & 0xff_ffff
    kind =
      switch raw & 0xff {
      case 0: .waker
      case 1: .listener
      case 2: .client
      case let code: .attempt(Int(code) - 3)
      }
  }

  /// The same connection's token for another of its descriptors.
  func with(_ kind: Kind) -> Token { Token(slot: Int(slot), generation: generation, kind) }

  /// As the kernel keeps it.
  var raw: UInt64 {
    let code: UInt64 =
      switch kind {
      case .waker: 0
      case .listener: 1
      case .client: 2
      case .attempt(let index): UInt64(index) + 3
      }
    return UInt64(slot) << 32 | UInt64(generation) << 8 | code
  }
}
