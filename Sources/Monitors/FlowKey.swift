import Model

/// Identifier, zone, original tuple and generation of a flow, mixed into 64 bits.
///
/// The kernel's identifier alone is 32 bits of a hash: among 200,000 flows a few would share one.
public struct FlowKey: Sendable, Hashable {
  /// The mixed bits.
  public let bits: UInt64

  /// Mixes what distinguishes `flow` from others, with a secret `seed`.
  @inline(__always)
  public init(_ flow: FlowIdentity, seed: UInt64) {
    let tuple = flow.original
    let numbers =
      UInt64(flow.id) << 32 | UInt64(flow.zone) << 16 | UInt64(tuple.transport.rawValue)
    let bits = Self.bits(numbers, tuple.source, tuple.destination, seed: seed)
    self.bits = flow.generation == 0 ? bits : Self.mix(bits, UInt64(flow.generation))
  }

  /// Mixes two ends and `numbers` with a secret `seed`.
  @inline(__always)
  static func bits(_ numbers: UInt64, _ source: Endpoint, _ destination: Endpoint, seed: UInt64) -> UInt64 {
    let ports = UInt64(source.port) << 16 | UInt64(destination.port)
    var bits = mix(seed ^ numbers, 0x9e37_79b9_7f4a_7c15 ^ ports)
    bits = mix(bits ^ source.address.high, seed ^ source.address.low)
    return mix(bits ^ destination.address.high, ~seed ^ destination.address.low)
  }

  /// Multiplies to 128 bits and folds them.
  @inline(__always)
  private static func mix(_ left: UInt64, _ right: UInt64) -> UInt64 {
    let product = (left ^ 0xa076_1d64_78bd_642f).multipliedFullWidth(by: right ^ 0xe703_7ed1_a0b4_28db)
    return product.high ^ product.low
  }
}
