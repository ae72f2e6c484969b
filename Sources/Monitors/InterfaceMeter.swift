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
  /// What moved since the last comparison.
  private var moved = Usage.zero
  /// The interfaces as they were when last read.
  private(set) var latest: [Interface] = []

  /// What the interfaces moved since the last comparison.
  struct Comparison {
    /// All of it, as network packets.
    var interfaces: Usage
    /// What no flow explains; known about a second late.
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
  mutating func read(at now: ContinuousClock.Instant) throws(KernelError) {
    latest = try table.read()
    moved += ledger.advance(to: latest)
    senders.note(packetSockets.read(), at: now)
  }

  /// Compares what was read since the last call with what the flows moved in the same time, which ends `now`. Where
  /// some flows have no counters, nothing that they cannot explain is anybody's.
  mutating func compare(
    flows: Usage, areCounted: Bool, at now: ContinuousClock.Instant
  ) -> Comparison {
    defer { moved = .zero }
    let (growth, among) = untracked.add(interfaces: moved, flows: flows, at: now)
    var comparison = Comparison(interfaces: moved, untracked: growth)
    let share = PacketSenders.share(of: growth, interfaces: among)
    if share > 0, areCounted, let candidates = senders.candidates { comparison.sent = (share, candidates) }
    return comparison
  }
}
