import Model
import Netfilter
import SystemRuntime

/// The interfaces beside the connection table: what they moved, what of that no flow explains, and who may have
/// sent it.
struct InterfaceMeter: ~Copyable {
  private let read: () throws(KernelError) -> [Interface]
  private let countMalformed: () -> UInt64
  private var packetSockets = PacketSocketTable()
  private var ledger = InterfaceLedger()
  private var untracked = UntrackedBytes()
  private var senders = PacketSenders()
  /// What moved since the last comparison.
  private var moved = Usage.zero
  /// Whether the interfaces were read before the last comparison: what flows moved before that explains nothing.
  private var isStarted = false
  private var recovery = Recovery<KernelError>()
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

  init(_ table: InterfaceTable) {
    self.init(read: table.read) { table.malformed }
  }

  /// Reads the interfaces by `read`.
  init(read: @escaping () throws(KernelError) -> [Interface], malformed: @escaping () -> UInt64 = { 0 }) {
    self.read = read
    countMalformed = malformed
  }

  /// Messages that could not be understood, since start.
  var malformed: UInt64 { countMalformed() + packetSockets.malformed }
  /// Packet sockets that did not fit, since start.
  var dropped: UInt64 { packetSockets.dropped }

  /// Why the interfaces could not be read; nil when they could.
  var failure: KernelError? { recovery.failure }

  /// Reads interfaces, and packet sockets unless somebody `seesFrames`; returns whether that worked. They are only
  /// compared with the flows, so what fails here is made up for by the next reading.
  mutating func update(at now: Instant, seesFrames: Bool = false) -> Bool {
    if !seesFrames { senders.note(packetSockets.read(), at: now) }
    guard recovery.isDue(at: now) else { return true }
    do throws(KernelError) {
      latest = try read()
      recovery.succeed()
      moved += ledger.advance(to: latest)
      return true
    } catch {
      recovery.fail(error, at: now)
      return false
    }
  }

  /// Compares what was read since the last call with what the flows moved in the same time, which ends `now`. Where
  /// some flows have no counters, nothing that they cannot explain is anybody's.
  mutating func compare(
    flows: Usage, areCounted: Bool, at now: Instant
  ) -> Comparison {
    defer {
      moved = .zero
      isStarted = isStarted || recovery.failure == nil
    }
    // While the interfaces are not read the flows are ahead of them, which is no difference.
    let (growth, among) = untracked.add(interfaces: moved, flows: isStarted ? flows : .zero, at: now)
    var comparison = Comparison(interfaces: moved, untracked: growth)
    let share = PacketSenders.share(of: growth, interfaces: among)
    if share > 0, areCounted, let candidates = senders.candidates { comparison.sent = (share, candidates) }
    return comparison
  }
}
