import SystemRuntime

/// What had no room in the receive buffers of ICMP sockets: replies among it look like lost ones. A raw socket counts what is
/// not for it as well.
struct ReplyOverflow: Sendable {
  /// How many there were.
  private(set) var total: UInt64 = 0
  private var counters: [ChannelKey: UInt32] = [:]
  private var isSaid = false

  /// What the sockets ask for, in bytes; the kernel grants twice that.
  private static let wanted = 8 << 20

  /// Takes what the socket of a kind says of its receive buffer; returns what to say, the first time that it was full.
  mutating func update(_ memory: EchoSocket.ReceiveMemory, of key: ChannelKey) -> String? {
    // The counter wraps.
    let growth = memory.dropped &- counters[key, default: 0]
    counters[key] = memory.dropped
    total += UInt64(growth)
    guard growth > 0, !isSaid else { return nil }
    isSaid = true
    let start =
      "\(growth) messages had no room in the receive buffer of an ICMP socket; replies among them count as lost: "
    guard memory.room < 2 * Self.wanted else { return start + "probe fewer targets, or with fewer requests." }
    return start
      + "run `sysctl -w net.core.rmem_max=\(Self.wanted)` and start this program again, or probe fewer targets."
  }
}
