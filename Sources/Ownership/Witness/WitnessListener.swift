import Glibc
public import Model
import Netfilter
import Synchronization
import SystemRuntime

/// The BPF program, and a thread that reads its ring before it is full.
public final class WitnessListener: SocketWitness, Sendable {
  private struct State: ~Copyable {
    package var witness: Witness
    var groups = ControlGroups()
    package init(_ witness: consuming Witness) { self.witness = witness }

    package mutating func find(_ user: WitnessUser, own: UInt64?) -> WitnessedProcesses.Found? {
      var groups = groups
      defer { self.groups = groups }
      return witness.find(user) { ProcessDescription($0, &groups, own: own) }
    }
  }

  private let state: Mutex<State>
  private let stopper: Waker
  /// What is at work.
  public let tier: WitnessTier
  /// The inode of this process's network namespace; nil where /proc does not show it.
  public let network: UInt64?
  /// Whether that is the network namespace of process 1; false where /proc does not show it.
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

  /// Starts to read what `witness` reports. Errors: no descriptor or no thread was to be had.
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

  /// Whether it reports frames: the second tier sees IP's sockets only.
  public var seesFrames: Bool { tier == .calls }

  /// What did not go as it should, since start.
  public var condition: WitnessCondition {
    state.withLock { state in
      var condition = WitnessCondition()
      let lost = state.witness.lost
      // What was not reported for want of room in the ring may be reported later.
      condition.unseen = state.witness.ledger.dropped + lost.unplaced + lost.ringFull
      condition.malformed = state.witness.malformed + state.witness.ledger.mismatches
      return condition
    }
  }

  /// What was used since the last call.
  public func report(at now: Instant, of networks: SocketNetworks) -> WitnessReport {
    state.withLock { state in
      var report = WitnessReport()
      if !state.witness.isAtWork {
        // A part of it would report a part of what moves.
        state.witness.detach()
        report.isLast = true
      }
      var users: Set<WitnessUser> = []
      var latest: WitnessUser?
      // A user's sockets mostly follow one another.
      func note(_ user: WitnessUser) {
        if user == latest { return }
        users.insert(user)
        latest = user
      }
      state.witness.tell(at: now) { movement in
        let socket = movement.socket
        guard networks == .all || socket.network == network else { return }
        if socket.isPacket, socket.network == network, movement.usage.sent > 0 {
          note(movement.user)
          report.frames[movement.user.identity, default: 0] += movement.usage.sent
        }
        guard let entry = SocketEntry(socket) else { return }
        note(movement.user)
        report.uses.append(
          WitnessReport.Use(
            entry, in: socket.network, isKernel: socket.isKernel, by: movement.user.identity, movement.usage))
      }
      report.renamed = state.witness.ledger.processes.takeRenamed().map(\.identity)
      var threads: Set<ProcessIdentity> = []
      for user in users {
        switch state.find(user, own: network) {
        case .kernelThread: threads.insert(user.identity)
        case .process(let description): report.descriptions[user.identity] = description
        case nil: continue
        }
      }
      if !threads.isEmpty {
        for place in report.uses.indices where threads.contains(report.uses[place].process) {
          report.uses[place].isKernel = true
        }
      }
      return report
    }
  }

  /// Reads what waits. Of what was retired then nobody keeps anything longer than the programs take to end.
  private func relieve(at now: Instant) {
    let settlement: UInt64? = state.withLock { state in
      state.witness.relieve(at: now)
      return state.witness.ledger.isBusy ? state.witness.ledger.settlements : nil
    }
    guard let settlement, WitnessProgram.waitForAll() else { return }
    state.withLock { state in
      state.witness.ledger.clear(retiredBy: settlement)
      // What came meanwhile.
      state.witness.relieve(at: .now)
    }
  }
}

/// Waits until there is something to read.
private struct Reader: Sendable {
  let descriptor: CInt
  let stopper: Waker

  /// How often is read while the kernel does not let us wait.
  private static let pause = Duration.milliseconds(100)

  /// Calls `read` whenever much waits, until the stopper wakes it or `read` returns false.
  func run(_ read: () -> Bool) {
    while true {
      if let isReadable = try? Readable.wait(for: [stopper.descriptor, descriptor], timeout: -1) {
        if isReadable[0] { return }
        if isReadable[1], !read() { return }
      } else {
        Poller.pause(for: Self.pause)
        if !read() { return }
      }
    }
  }
}
