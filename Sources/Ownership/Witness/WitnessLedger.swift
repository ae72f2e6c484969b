import Model
import Netfilter

/// Adds up who moved how much payload through which socket, from the records and slots of the BPF program.
///
/// Decides only: what was read and the time come in, what to report and which slots to give back go out.
public struct WitnessLedger {
  /// What a process moved through a socket; nothing where it was only seen to use it.
  public struct Movement: Sendable, Hashable {
    /// The socket's key.
    public var key: UInt64
    /// The socket.
    public var socket: WitnessedSocket
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

  /// After this time every program has ended that had found a slot before it was retired, where that was not waited for.
  static let grace = Duration.seconds(1)
  /// How long a slot is kept after its process has ended: other threads may go on for a moment.
  static let afterEnd = Duration.seconds(1)
  /// How long a slot may rest once half of all are in use, and once three quarters are.
  static let rests = (half: Duration.seconds(10), most: Duration.seconds(1))
  /// How long what was moved through a socket is kept for the record of the socket, where that was lost.
  static let wait = Duration.seconds(10)
  /// So many uses whose slot was given back wait to be reported.
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
    /// False until this slot was reported.
    var isReported = false
    /// The slot is found by no program any more since `changed`.
    var isRetired = false
    /// With which settlement.
    var retiredBy: UInt64 = 0
    /// What was moved in all, and how much of it was reported.
    var total = Usage.zero
    var reported = Usage.zero
    /// The sum of the slot's numbers, and what of it calls had received, when it was last looked at.
    var sum: UInt64 = 0
    var received: UInt64 = 0
    /// Payload that was taken by other calls than recv(2), when another use of the socket began.
    var spliced: UInt64 = 0
    var changed: Int64

    /// Whether there is something to report of it.
    var isPending: Bool { !isReported || total != reported }

    /// Notes that all of it was reported.
    mutating func markReported() {
      isReported = true
      reported = total
    }
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

  let tier: WitnessTier
  private let epoch: Instant
  private var olderSockets: OlderSockets
  var uses: [Use] = []
  /// Where in `uses` a slot is; -1 for none.
  private(set) var positions: [Int32]
  var sockets: [Socket] = []
  /// Where in `sockets` a key is, and which places are free.
  private var places: [UInt64: Int32] = [:]
  private var vacant: [Int32] = []
  var processes = WitnessedProcesses()
  /// Slots that are claimed and nobody's, and since when.
  var suspects: [Int: Int64] = [:]
  private(set) var rested: RestedSockets
  /// What was moved by uses whose slot was given back, and not reported yet.
  var left: [Movement] = []

  /// Uses whose slot held something else: what a faulty program or reader would leave.
  var mismatches: UInt64 = 0
  /// Uses that there was no room to report, or of whose socket nothing was reported in time.
  var unaccounted: UInt64 = 0

  /// What there was no room or no record for, since start.
  var dropped: UInt64 { unaccounted + processes.dropped + rested.dropped }

  /// Starts with nothing at `now`. Movements leave out what `olderSockets` had carried by then. If not all of these are
  /// known, movements leave out what any socket had carried when it was first seen.
  init(
    tier: WitnessTier, slotCount: Int, olderSockets: OlderSockets = OlderSockets(),
    at now: Instant
  ) {
    self.tier = tier
    self.olderSockets = olderSockets
    rested = RestedSockets(limit: slotCount, isIncomplete: !olderSockets.areAll)
    epoch = now
    positions = Array(repeating: -1, count: slotCount)
  }

  /// How many slots are in use.
  var count: Int { uses.count }

  /// How often was settled. What was retired up to the one of `cleared` no program uses any more.
  var settlements: UInt64 = 0
  private(set) var cleared: UInt64 = 0
  /// The last one that retired something.
  var retirement: UInt64 = 0

  /// True when something was retired and it pays to wait until no program uses it, so that memory is used again soon.
  var isBusy: Bool { uses.count > positions.count / 16 && retirement > cleared }

  /// Takes that all programs have ended that ran when that settlement was done.
  mutating func clear(retiredBy settlement: UInt64) { cleared = settlement }

  /// True when most slots are in use: it is time to settle.
  var isCrowded: Bool { uses.count > positions.count / 2 }

  /// What the process runs, as far as that was reported.
  public func process(_ user: WitnessUser) -> WitnessedProcess? { processes[user] }

  /// Takes what the ring delivered.
  mutating func take(_ record: WitnessRecord, at now: Instant) {
    switch record {
    case .firstUse(let slot, let user, let socket, let payload):
      guard positions.indices.contains(Int(slot)) else {
        mismatches += 1
        return
      }
      let place = add(Int(slot), user, socket.key, at: nanoseconds(now))
      meet(socket, payload, at: place)
    case .process(let process): processes.take(process, at: now)
    case .exited(let user): processes.end(user, at: now)
    }
  }

  /// What a socket had carried before it was first seen is not reported: for one that was there before the program,
  /// whose slot had been given back, or that has closed. One that connects again counts from nothing.
  private mutating func meet(_ entry: WitnessedSocket, _ payload: Usage, at place: Int) {
    let base = sockets[place].base
    let countsAgain = payload.received < base.received || payload.sent < base.sent
    let isNew = sockets[place].entry == nil
    let older = isNew ? olderSockets.take(entry.key) : nil
    let mayHaveRested = isNew && older == nil && rested.take(entry.key, carried: payload)
    if countsAgain || mayHaveRested || isNew && entry.isClosed {
      sockets[place].base = payload
    } else if let older, older.received <= payload.received, older.sent <= payload.sent {
      // Where it has less now it has been connected again.
      sockets[place].base = older
    }
    if isNew {
      // What its slots hold means something only now.
      for position in positions(of: place) { uses[position].sum = 0 }
    } else if sockets[place].entry != entry {
      for position in positions(of: place) { leave(position) }
    }
    sockets[place].entry = entry
  }

  /// Takes a slot; returns where its socket is.
  mutating func add(_ slot: Int, _ user: WitnessUser, _ key: UInt64, at now: Int64) -> Int {
    if positions[slot] >= 0 {
      let use = uses[Int(positions[slot])]
      if use.key == key && use.user == user {
        uses[Int(positions[slot])].isReported = false
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

  /// Lets go of a use; what it moved is still reported.
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
      rested.insert(use.key)
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

  /// Keeps what is to be reported of a use with the ends that its socket has now.
  private mutating func leave(_ position: Int) {
    guard uses[position].isPending else { return }
    guard left.count < Self.leftLimit, let movement = Self.movement(of: uses[position], sockets) else {
      return unaccounted += 1
    }
    left.append(movement)
    uses[position].markReported()
  }

  /// What is to be reported of a use; nil while the record of its socket is missing. Static, as a method would have a copy
  /// made of the whole ledger for each of thousands.
  static func movement(of use: Use, _ sockets: [Socket]) -> Movement? {
    sockets[Int(use.socket)].entry.map {
      Movement(key: use.key, socket: $0, user: use.user, usage: use.total - use.reported)
    }
  }

  func nanoseconds(_ now: Instant) -> Int64 { (now - epoch).nanoseconds }
}

extension Duration {
  package var nanoseconds: Int64 {
    components.seconds * 1_000_000_000 + components.attoseconds / 1_000_000_000
  }
}
