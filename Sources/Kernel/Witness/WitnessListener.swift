import Glibc
import Model
import Synchronization

/// The BPF program, and a thread that reads its ring before it is full.
public final class WitnessListener: SocketWitness, Sendable {
  private struct State: ~Copyable {
    var witness: Witness
    var groups = ControlGroups()
    init(_ witness: consuming Witness) { self.witness = witness }
  }

  private let state: Mutex<State>
  private let stopper: Waker
  /// What is at work.
  public let tier: WitnessTier
  /// The inode of this process's network namespace; nil where /proc does not tell.
  public let network: UInt64?
  /// Whether that is the network namespace of process 1; false where /proc does not tell.
  public let isHost: Bool

  /// Loads the best program that `choice` allows and the kernel takes, and starts to read it; nil where there is none,
  /// each with why not in `failures`. Errors: no descriptor or no thread was to be had, or /proc cannot be listed.
  public static func open(
    _ choice: WitnessChoice, failures: inout [WitnessError]
  ) throws(KernelError) -> WitnessListener? {
    guard choice != .lookup else { return nil }
    var processes = try ProcessTable()
    // The program knows processes by their first numbers.
    guard processes.seesHost() else {
      failures.append(.otherNumbers)
      return nil
    }
    try processes.refresh()
    let older = OlderSockets(reading: processes)
    guard let witness = Witness.open(choice, olderSockets: older, failures: &failures, at: .now) else {
      return nil
    }
    return try WitnessListener(witness, knowsOlderSockets: older.areAll)
  }

  /// What `open` would do, without anything left at work. Errors: those of `open`.
  public static func probe(_ choice: WitnessChoice) throws(KernelError) -> WitnessProbe {
    var failures: [WitnessError] = []
    let tier = try open(choice, failures: &failures)?.tier
    return WitnessProbe(choice: choice, tier: tier, failures: failures)
  }

  /// False where some sockets that are older than the program could not be read.
  public let knowsOlderSockets: Bool

  /// Starts to read what `witness` tells. Errors: no descriptor or no thread was to be had.
  public init(_ witness: consuming sending Witness, knowsOlderSockets: Bool = true) throws(KernelError) {
    self.knowsOlderSockets = knowsOlderSockets
    tier = witness.tier
    network = Self.network(of: "/proc/thread-self")
    isHost = network != nil && network == Self.network(of: "/proc/1")
    let descriptor = witness.descriptor
    state = Mutex(State(witness))
    stopper = try Waker()
    // The thread keeps no witness alive: it ends with its owner.
    let reader = Reader(descriptor: descriptor, stopper: stopper)
    try WorkerThread.start("witness") { [weak self] in reader.run { self?.relieve(at: .now) != nil } }
  }

  deinit { stopper.wake() }

  private static func network(of process: String) -> UInt64? {
    guard let folder = try? OpenFile(process, isFolder: true) else { return nil }
    return NamespaceLink.inode(in: folder)
  }

  /// Whether it tells of frames: the second tier sees IP's sockets only.
  public var seesFrames: Bool { tier == .calls }

  /// What did not go as it should, since start.
  public var condition: WitnessCondition {
    state.withLock { state in
      var condition = WitnessCondition()
      condition.unseen = state.witness.ledger.untold + state.witness.lost.unplaced
      condition.malformed = state.witness.malformed + state.witness.ledger.mismatches
      return condition
    }
  }

  /// What was used since the last call.
  public func news(at now: ContinuousClock.Instant, of networks: SocketNetworks) -> WitnessNews {
    state.withLock { state in
      var news = WitnessNews()
      var users: Set<WitnessUser> = []
      state.witness.tell(at: now) { movement in
        guard let socket = movement.socket, networks == .all || socket.network == network else { return }
        if socket.isPacket, socket.network == network, movement.usage.sent > 0 {
          users.insert(movement.user)
          news.frames[movement.user.identity, default: 0] += movement.usage.sent
        }
        guard let entry = SocketEntry(socket) else { return }
        users.insert(movement.user)
        news.uses.append(
          WitnessNews.Use(
            entry, in: socket.network, isKernel: socket.isKernel, by: movement.user.identity, movement.usage))
      }
      var threads: Set<ProcessIdentity> = []
      for user in users {
        guard let known = state.witness.ledger.process(user) else { continue }
        if known.isKernel {
          threads.insert(user.identity)
        } else {
          news.descriptions[user.identity] = ProcessDescription(known, &state.groups, own: network)
        }
      }
      if !threads.isEmpty {
        for place in news.uses.indices where threads.contains(news.uses[place].process) {
          news.uses[place].isKernel = true
        }
      }
      return news
    }
  }

  private func relieve(at now: ContinuousClock.Instant) { state.withLock { $0.witness.relieve(at: now) } }
}

/// Waits until there is something to read.
private struct Reader: Sendable {
  let descriptor: CInt
  let stopper: Waker

  /// Calls `read` whenever much waits, until the stopper wakes it or `read` returns false.
  func run(_ read: () -> Bool) {
    while true {
      var waits = [stopper.descriptor, descriptor].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
      // In bounds: the array and its count.
      let count = unsafe poll(&waits, nfds_t(waits.count), -1)
      guard count >= 0 || errno == EINTR else { return }
      if waits[0].revents != 0 { return }
      if waits[1].revents != 0, !read() { return }
    }
  }
}
