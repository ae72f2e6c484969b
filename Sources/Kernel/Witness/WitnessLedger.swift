import Model

/// Adds up who moved how much payload through which socket, from the records and slots of the BPF program.
///
/// Decides only: what was read and the time come in, what to tell and which slots to give back go out.
public struct WitnessLedger {
  /// Payload that a process moved through a socket.
  public struct Movement: Sendable, Hashable {
    /// The socket's key.
    public var socket: UInt64
    /// Who moved it.
    public var user: WitnessUser
    /// How much.
    public var usage: Usage
  }

  /// What is to be done with slots. Both lists are of their indices.
  struct Slots: Sendable, Hashable {
    /// To be found by no program any more.
    var retired: [Int] = []
    /// To be given back.
    var freed: [Int] = []
  }

  /// After this time every program has ended that had found a slot before it was retired.
  static let grace = Duration.seconds(1)
  /// How long a socket is kept that has closed, or whose process has ended: more may have been on its way.
  static let afterEnd = Duration.seconds(1)
  /// How long a slot may rest once half of all are in use, and once three quarters are.
  static let rests = (half: Duration.seconds(10), most: Duration.seconds(1))
  /// How long the name of a process that has ended is kept.
  static let afterExit = Duration.seconds(10)
  /// Of so many processes the names are kept.
  static let processLimit = 1 << 14

  /// One slot: a process and a socket.
  struct Use {
    var slot: Int
    var key: UInt64
    var user: WitnessUser
    /// What was told already.
    var told = Usage.zero
    /// What the slot held when it was last looked at.
    var last = WitnessSlot()
    /// Payload that was taken by other calls than recv(2), when another process came to the socket.
    var spliced: UInt64 = 0
    var changed: ContinuousClock.Instant
    /// When the socket was first seen to have ended.
    var ended: ContinuousClock.Instant?
    var retired: ContinuousClock.Instant?
  }

  struct Socket {
    var entry: WitnessedSocket?
    /// Of TCP: what had passed before it was first seen, and in the second tier what was told since.
    var base = Usage.zero
    /// Who used it first, and whether somebody else did since.
    var first: WitnessUser
    var isShared = false
    var slots: [Int]
  }

  private struct Process {
    var description: WitnessedProcess
    var hasExited = false
  }

  let tier: WitnessTier
  private let olderSockets: Set<UInt64>
  var uses: [Use] = []
  /// Where in `uses` a slot is; -1 for none.
  private var positions: [Int32]
  var sockets: [UInt64: Socket] = [:]
  private var processes: [WitnessUser: Process] = [:]
  /// Those that have ended, the first to end first.
  private var exits: [(user: WitnessUser, time: ContinuousClock.Instant)] = []
  private var suspects: Set<Int> = []
  /// Sockets whose slots were given back while they were open; once there are too many, all may be.
  private var rested: Set<UInt64> = []
  private var forgets = false

  /// Uses whose slot held something else: what a faulty program or reader would leave.
  private(set) var mismatches: UInt64 = 0

  /// Starts with nothing. `olderSockets` are the keys of those that were there before the program: what had passed
  /// through them by then is not told.
  init(tier: WitnessTier, slotCount: Int, olderSockets: Set<UInt64> = []) {
    self.tier = tier
    self.olderSockets = olderSockets
    positions = Array(repeating: -1, count: slotCount)
  }

  /// How many slots are in use.
  var count: Int { uses.count }

  /// What the process runs, as far as that was told.
  public func process(_ user: WitnessUser) -> WitnessedProcess? { processes[user]?.description }

  /// The socket of a key, until a moment after its end.
  public func socket(_ key: UInt64) -> WitnessedSocket? { sockets[key]?.entry }

  /// Takes what the ring told.
  mutating func take(_ record: WitnessRecord, at now: ContinuousClock.Instant) {
    switch record {
    case .sighting(let slot, let user, let socket, let payload):
      guard positions.indices.contains(Int(slot)) else {
        mismatches += 1
        return
      }
      add(Int(slot), user, socket.key, at: now)
      meet(socket, payload)
    case .process(let process):
      processes[process.user] = Process(description: process)
      if processes.count > Self.processLimit { forgetProcesses(before: now) }
    case .exited(let user):
      guard processes[user] != nil else { return }
      processes[user]?.hasExited = true
      exits.append((user, now))
    }
  }

  /// What a socket had carried before it was first seen is not told: for one that was there before the program, whose
  /// slot had been given back, or that has closed. One that connects again counts from nothing.
  private mutating func meet(_ entry: WitnessedSocket, _ payload: Usage) {
    guard var socket = sockets.removeValue(forKey: entry.key) else { return }
    let isOlder = forgets || olderSockets.contains(entry.key) || rested.contains(entry.key)
    let countsAnew = payload.received < socket.base.received || payload.sent < socket.base.sent
    if countsAnew || socket.entry == nil && (isOlder || entry.isClosed) { socket.base = payload }
    socket.entry = entry
    sockets[entry.key] = socket
  }

  private mutating func add(
    _ slot: Int, _ user: WitnessUser, _ key: UInt64, at now: ContinuousClock.Instant
  ) {
    if positions[slot] >= 0 {
      let use = uses[Int(positions[slot])]
      guard use.key != key || use.user != user else { return }
      remove(Int(positions[slot]))
    }
    positions[slot] = Int32(uses.count)
    uses.append(Use(slot: slot, key: key, user: user, changed: now))
    guard var socket = sockets.removeValue(forKey: key) else {
      sockets[key] = Socket(first: user, slots: [slot])
      return
    }
    if !socket.isShared && socket.first != user {
      socket.isShared = true
      // What the socket has given out in all no longer says what the first took.
      for slot in socket.slots { fixSpliced(Int(positions[slot])) }
    }
    socket.slots.append(slot)
    sockets[key] = socket
  }

  private mutating func remove(_ position: Int) {
    let use = uses[position]
    positions[use.slot] = -1
    let last = uses.removeLast()
    if position < uses.count {
      uses[position] = last
      positions[last.slot] = Int32(position)
    }
    guard var socket = sockets.removeValue(forKey: use.key) else { return }
    socket.slots.removeAll { $0 == use.slot }
    if !socket.slots.isEmpty {
      sockets[use.key] = socket
    } else if use.ended == nil, socket.entry?.transport == .tcp {
      if rested.count < positions.count { rested.insert(use.key) } else { forgets = true }
    }
  }

  /// What was moved since the last call; `contents` reads a slot. Names and sockets of what is told can be asked for
  /// until the next call.
  mutating func settle(
    at now: ContinuousClock.Instant, contents: (Int) -> WitnessSlot
  ) -> (movements: [Movement], slots: Slots) {
    forgetProcesses(before: now - Self.afterExit)
    var movements: [Movement] = []
    var slots = Slots()
    var shares: [UInt64: [(position: Int, slot: WitnessSlot)]] = [:]
    let rest = allowedRest
    var done: [Int] = []
    for position in uses.indices {
      let slot = contents(uses[position].slot)
      let use = uses[position]
      guard use.retired != nil || slot.isOf(use.key, use.user) else {
        mismatches += 1
        done.append(position)
        continue
      }
      if !slot.counts(asMuchAs: use.last) {
        uses[position].changed = now
        if countsBySocket(use.key) {
          shares[use.key, default: []].append((position, slot))
        } else if let usage = advance(position, slot) {
          movements.append(Movement(socket: use.key, user: use.user, usage: usage))
        }
        uses[position].last = slot
      }
      uses[position].ended = slot.isEnded ? use.ended ?? now : nil
      if let retired = use.retired {
        guard now - retired >= Self.grace else { continue }
        slots.freed.append(use.slot)
        done.append(position)
      } else if isOver(uses[position], rest, at: now) {
        uses[position].retired = now
        slots.retired.append(use.slot)
      }
    }
    for (key, users) in shares { share(key, users, &movements) }
    for position in done.reversed() { remove(position) }
    return (movements, slots)
  }

  /// How long a slot may rest while its socket is not known to have ended; nil for ever.
  private var allowedRest: Duration? {
    if uses.count > positions.count / 4 * 3 { return Self.rests.most }
    return uses.count > positions.count / 2 ? Self.rests.half : nil
  }

  private func isOver(_ use: Use, _ rest: Duration?, at now: ContinuousClock.Instant) -> Bool {
    let resting = now - use.changed
    if let rest, resting >= rest { return true }
    guard resting >= Self.afterEnd else { return false }
    return use.ended.map { now - $0 >= Self.afterEnd } ?? (processes[use.user]?.hasExited ?? false)
  }

  /// Forgets those that had ended by then.
  private mutating func forgetProcesses(before time: ContinuousClock.Instant) {
    let count = exits.prefix { $0.time <= time }.count
    for (user, _) in exits[..<count] where processes[user]?.hasExited == true { processes[user] = nil }
    exits.removeFirst(count)
  }

  /// Looks at all slots, where records were lost: takes over those of which nothing was told, and returns those to free
  /// that nobody owns, twice looked at.
  mutating func sweep(at now: ContinuousClock.Instant, contents: (Int) -> WitnessSlot) -> Slots {
    var slots = Slots()
    var found: Set<Int> = []
    for slot in positions.indices where positions[slot] < 0 {
      let content = contents(slot)
      guard content.claims > 0 else { continue }
      if content.socket != 0, let user = WitnessUser(content.process, content.start) {
        add(slot, user, content.socket, at: now)
      } else if suspects.contains(slot) {
        slots.freed.append(slot)
      } else {
        found.insert(slot)
      }
    }
    suspects = found
    return slots
  }
}

extension WitnessSlot {
  fileprivate func isOf(_ key: UInt64, _ user: WitnessUser) -> Bool {
    socket == key && start == user.start && process == UInt32(user.pid)
  }

  fileprivate func counts(asMuchAs other: WitnessSlot) -> Bool {
    sent == other.sent && received == other.received && transmitted == other.transmitted
      && consumed == other.consumed
  }
}
