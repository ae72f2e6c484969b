import Model

/// Adds up who moved how much payload through which socket, from the records and slots of the BPF program.
///
/// Decides only: what was read and the time come in, what to tell and which slots to give back go out.
public struct WitnessLedger {
  /// What a process moved through a socket; nothing where it was only seen to use it.
  public struct Movement: Sendable, Hashable {
    /// The socket's key.
    public var key: UInt64
    /// The socket; nil where the record of it was lost.
    public var socket: WitnessedSocket?
    /// Who used it.
    public var user: WitnessUser
    /// The payload.
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
  /// How long a slot is kept after its process has ended: other threads may go on for a moment.
  static let afterEnd = Duration.seconds(1)
  /// How long a slot may rest once half of all are in use, and once three quarters are.
  static let rests = (half: Duration.seconds(10), most: Duration.seconds(1))
  /// How long the name of a process that has ended is kept.
  static let afterExit = Duration.seconds(10)
  /// Of so many processes the names are kept.
  static let processLimit = 1 << 14
  /// So many uses whose slot was given back wait to be told.
  static let leftLimit = 1 << 18

  /// One slot: a process and a socket. Times are nanoseconds since the ledger began.
  struct Use {
    let key: UInt64
    let user: WitnessUser
    let slot: Int32
    /// Where its socket is.
    let socket: Int32
    /// The slot of another use of the socket; -1 for none.
    var next: Int32
    /// False until it was told of this slot.
    var isTold = false
    /// The slot is found by no program any more since `changed`.
    var isRetired = false
    /// What was moved in all, and how much of it was told.
    var total = Usage.zero
    var told = Usage.zero
    /// The sum of the slot's numbers, and what of it calls had received, when it was last looked at.
    var sum: UInt64 = 0
    var received: UInt64 = 0
    /// Payload that was taken by other calls than recv(2), when another use of the socket began.
    var spliced: UInt64 = 0
    var changed: Int64

    /// Whether there is something to tell of it.
    var isPending: Bool { !isTold || total != told }
  }

  struct Socket {
    var entry: WitnessedSocket?
    /// Of TCP: what had passed before it was first seen, and in the second tier what was counted since.
    var base = Usage.zero
    /// True once it had a second use: what the socket has given out in all no longer says what the first took.
    var isShared = false
    var isEnded = false
    /// The slot of its latest use; -1 for none.
    var uses: Int32
  }

  struct Process {
    var description: WitnessedProcess
    var hasExited = false
  }

  let tier: WitnessTier
  private let epoch: ContinuousClock.Instant
  private var olderSockets: OlderSockets
  var uses: [Use] = []
  /// Where in `uses` a slot is; -1 for none.
  private(set) var positions: [Int32]
  var sockets: [Socket] = []
  /// Where in `sockets` a key is, and which places are free.
  private var places: [UInt64: Int32] = [:]
  private var vacant: [Int32] = []
  private(set) var processes: [WitnessUser: Process] = [:]
  /// Those that have ended, the first to end first.
  var exits: [(user: WitnessUser, time: ContinuousClock.Instant)] = []
  private var suspects: Set<Int> = []
  /// Sockets whose slots were given back while they were open; once there are too many, all may be.
  private var rested: Set<UInt64> = []
  private var forgets: Bool
  /// What was moved by uses whose slot was given back, and not told yet.
  var left: [Movement] = []

  /// Uses whose slot held something else: what a faulty program or reader would leave.
  var mismatches: UInt64 = 0
  /// Uses that there was no room to tell of.
  private(set) var untold: UInt64 = 0

  /// Starts with nothing at `now`. Movements leave out what `olderSockets` had carried by then. If not all of these are
  /// known, movements leave out what any socket had carried when it was first seen.
  init(
    tier: WitnessTier, slotCount: Int, olderSockets: OlderSockets = OlderSockets(),
    at now: ContinuousClock.Instant
  ) {
    self.tier = tier
    self.olderSockets = olderSockets
    forgets = !olderSockets.areAll
    epoch = now
    positions = Array(repeating: -1, count: slotCount)
  }

  /// How many slots are in use.
  var count: Int { uses.count }

  /// True when most slots are in use: it is time to settle.
  var isCrowded: Bool { uses.count > positions.count / 2 }

  /// What the process runs, as far as that was told.
  public func process(_ user: WitnessUser) -> WitnessedProcess? { processes[user]?.description }

  /// Takes what the ring told.
  mutating func take(_ record: WitnessRecord, at now: ContinuousClock.Instant) {
    switch record {
    case .sighting(let slot, let user, let socket, let payload):
      guard positions.indices.contains(Int(slot)) else {
        mismatches += 1
        return
      }
      let place = add(Int(slot), user, socket.key, at: nanoseconds(now))
      meet(socket, payload, at: place)
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
  private mutating func meet(_ entry: WitnessedSocket, _ payload: Usage, at place: Int) {
    let base = sockets[place].base
    let countsAnew = payload.received < base.received || payload.sent < base.sent
    let isNew = sockets[place].entry == nil
    let older = isNew ? olderSockets.take(entry.key) : nil
    if countsAnew || isNew && (older == nil && hasRested(entry.key) || entry.isClosed) {
      sockets[place].base = payload
    } else if let older, older.received <= payload.received, older.sent <= payload.sent {
      // Where it has less now it has been connected anew.
      sockets[place].base = older
    }
    if !isNew, sockets[place].entry != entry { for position in positions(of: place) { leave(position) } }
    sockets[place].entry = entry
  }

  private func hasRested(_ key: UInt64) -> Bool { forgets || rested.contains(key) }

  /// Takes a slot; returns where its socket is.
  private mutating func add(_ slot: Int, _ user: WitnessUser, _ key: UInt64, at now: Int64) -> Int {
    if positions[slot] >= 0 {
      let use = uses[Int(positions[slot])]
      if use.key == key && use.user == user {
        uses[Int(positions[slot])].isTold = false
        return Int(use.socket)
      }
      remove(Int(positions[slot]))
    }
    let place = place(of: key)
    let next = sockets[place].uses
    if next >= 0 {
      sockets[place].isShared = true
      for position in positions(of: place) { fixSpliced(position) }
    }
    positions[slot] = Int32(uses.count)
    sockets[place].uses = Int32(slot)
    uses.append(
      Use(key: key, user: user, slot: Int32(slot), socket: Int32(place), next: next, changed: now))
    return place
  }

  /// Where the socket is, which it has from now on if it had none.
  private mutating func place(of key: UInt64) -> Int {
    if let place = places[key] { return Int(place) }
    let place = vacant.popLast() ?? Int32(sockets.count)
    if Int(place) == sockets.count { sockets.append(Socket(uses: -1)) }
    places[key] = place
    return Int(place)
  }

  /// Where the uses of a socket are, the latest first.
  private func positions(of place: Int) -> [Int] {
    var found: [Int] = []
    var slot = sockets[place].uses
    while slot >= 0 {
      found.append(Int(positions[Int(slot)]))
      slot = uses[found[found.count - 1]].next
    }
    return found
  }

  /// Lets go of a use; what it moved is still told.
  mutating func remove(_ position: Int) {
    leave(position)
    let use = uses[position]
    let place = Int(use.socket)
    unlink(use, from: place)
    positions[Int(use.slot)] = -1
    let last = uses.removeLast()
    if position < uses.count {
      uses[position] = last
      positions[Int(last.slot)] = Int32(position)
    }
    guard sockets[place].uses < 0 else { return }
    if !sockets[place].isEnded, sockets[place].entry?.transport == .tcp {
      if rested.count < positions.count { rested.insert(use.key) } else { forgets = true }
    }
    places[use.key] = nil
    sockets[place] = Socket(uses: -1)
    vacant.append(Int32(place))
  }

  private mutating func unlink(_ use: Use, from place: Int) {
    guard sockets[place].uses != use.slot else { return sockets[place].uses = use.next }
    for position in positions(of: place) where uses[position].next == use.slot {
      uses[position].next = use.next
    }
  }

  /// Keeps what is to be told of a use with the ends that its socket has now.
  private mutating func leave(_ position: Int) {
    guard uses[position].isPending else { return }
    guard left.count < Self.leftLimit else { return untold += 1 }
    left.append(movement(of: uses[position]))
    uses[position].isTold = true
    uses[position].told = uses[position].total
  }

  func movement(of use: Use) -> Movement {
    Movement(
      key: use.key, socket: sockets[Int(use.socket)].entry, user: use.user, usage: use.total - use.told)
  }

  /// Forgets those that had ended by then.
  mutating func forgetProcesses(before time: ContinuousClock.Instant) {
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
        _ = add(slot, user, content.socket, at: nanoseconds(now))
      } else if suspects.contains(slot) {
        slots.freed.append(slot)
      } else {
        found.insert(slot)
      }
    }
    suspects = found
    return slots
  }

  func nanoseconds(_ now: ContinuousClock.Instant) -> Int64 { (now - epoch).nanoseconds }
}

extension Duration {
  var nanoseconds: Int64 { components.seconds * 1_000_000_000 + components.attoseconds / 1_000_000_000 }
}
