import Model

/// The BPF program, with a ledger of what it has reported.
public struct Witness: ~Copyable {
  private var program: WitnessProgram
  /// What is known of sockets and processes.
  public private(set) var ledger: WitnessLedger
  private var losses = WitnessLosses()
  private var swept: ContinuousClock.Instant

  /// Records that could not be decoded.
  public private(set) var malformed: UInt64 = 0

  /// How often all slots are looked at though nothing was lost.
  public static let sweepInterval = Duration.seconds(60)

  /// Loads the programs of `tier`. What TCP sockets with a key in `olderSockets` carried before is not counted.
  public init(
    _ tier: WitnessTier, room: WitnessRoom = WitnessRoom(), olderSockets: Set<UInt64> = [],
    at now: ContinuousClock.Instant
  ) throws(WitnessError) {
    program = try WitnessProgram(tier, room: room)
    ledger = WitnessLedger(tier: tier, slotCount: program.table.count, olderSockets: olderSockets)
    swept = now
  }

  /// The best program that `choice` allows and the kernel takes; nil where there is none, each with why not.
  public static func open(
    _ choice: WitnessChoice, failures: inout [WitnessError], at now: ContinuousClock.Instant
  ) -> Witness? {
    for tier in choice.tiers {
      do throws(WitnessError) { return try Witness(tier, at: now) } catch { failures.append(error) }
    }
    return nil
  }

  /// What is at work.
  public var tier: WitnessTier { program.tier }

  /// Readable for poll(2) while much waits to be read.
  var descriptor: CInt { program.descriptor }

  /// What there was no room for.
  public var lost: WitnessLosses { program.losses }

  /// Reads the records that wait. Each goes to `body`, then into the ledger.
  mutating func read(at now: ContinuousClock.Instant, _ body: (WitnessRecord) -> Void = { _ in }) {
    var malformed: UInt64 = 0
    var records: [WitnessRecord] = []
    program.read(malformed: &malformed) { records.append($0) }
    self.malformed += malformed
    for record in records {
      body(record)
      ledger.take(record, at: now)
    }
  }

  /// Reads, and returns who moved how much since the last call.
  public mutating func settle(at now: ContinuousClock.Instant) -> [WitnessLedger.Movement] {
    settle(at: now) { _ in }
  }

  /// The same; gives each record to `body` first.
  mutating func settle(
    at now: ContinuousClock.Instant, _ body: (WitnessRecord) -> Void
  ) -> [WitnessLedger.Movement] {
    read(at: now, body)
    let losses = program.losses
    let table = program.table
    if losses.unreported != self.losses.unreported || now - swept >= Self.sweepInterval {
      table.apply(ledger.sweep(at: now) { table.contents($0) })
      swept = now
    }
    self.losses = losses
    let (movements, slots) = ledger.settle(at: now) { table.contents($0) }
    table.apply(slots)
    return movements
  }
}

extension WitnessTable {
  fileprivate func apply(_ slots: WitnessLedger.Slots) {
    for slot in slots.retired { retire(slot) }
    for slot in slots.freed { free(slot) }
  }
}
