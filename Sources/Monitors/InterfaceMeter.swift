import Kernel
import Model

/// The interfaces beside the connection table: what they moved, what of that no flow explains, and who may have
/// sent it.
struct InterfaceMeter: ~Copyable {
  private let table: InterfaceTable
  private var packetSockets = PacketSocketTable()
  private var ledger = InterfaceLedger()
  private var untracked = UntrackedBytes()
  private var senders = PacketSenders()
  /// What moved since the last comparison, and in the one before.
  private var moved = Usage.zero
  private var earlier = Usage.zero

  /// What the interfaces moved since the last comparison.
  struct Comparison {
    /// All of it, as network packets.
    var interfaces: Usage
    /// What no flow explains; known an interval late.
    var untracked: Usage
    /// How much of `untracked` the only packet sockets may have sent, and which they are.
    var sent: (bytes: UInt64, by: Set<UInt64>)?
  }

  init(_ table: InterfaceTable) { self.table = table }

  /// Messages that could not be understood, since start.
  var malformed: UInt64 { table.malformed + packetSockets.malformed }
  /// Packet sockets that did not fit, since start.
  var dropped: UInt64 { packetSockets.dropped }

  /// Reads interfaces and packet sockets.
  mutating func read() throws(KernelError) {
    moved += ledger.advance(to: try table.read())
    senders.note(packetSockets.read())
  }

  /// Compares what was read since the last call with what the flows moved in the same time. Where some flows have no
  /// counters, nothing that they cannot explain is anybody's.
  mutating func compare(flows: Usage, areCounted: Bool) -> Comparison {
    defer {
      earlier = moved
      moved = .zero
    }
    let growth = untracked.add(interfaces: moved, flows: flows)
    var comparison = Comparison(interfaces: moved, untracked: growth)
    let share = PacketSenders.share(of: growth, interfaces: moved + earlier)
    if share > 0, areCounted, let candidates = senders.candidates { comparison.sent = (share, candidates) }
    return comparison
  }
}
