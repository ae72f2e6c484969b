public import Model
import Netfilter

/// The BPF program, with a ledger of what it has reported.
public struct Witness: ~Copyable {
  private var program: WitnessProgram
  /// What is known of sockets and processes.
  public internal(set) var ledger: WitnessLedger
  private var losses = WitnessLosses()
  private var swept: Instant
  private var settled: Instant

  /// Records that could not be decoded.
  public private(set) var malformed: UInt64 = 0

  /// How often all slots are looked at though nothing was lost.
  public static let sweepInterval = Duration.seconds(60)
  /// How long slots of sockets that have closed stay in use at least while records come.
  static let settleInterval = Duration.milliseconds(200)

  /// Loads the programs of `tier`, as on a kernel that gives programs cookies of sockets or not. What `olderSockets` had
  /// carried before is not counted.
  package init(
    _ tier: WitnessTier, room: WitnessRoom = WitnessRoom(), olderSockets: OlderSockets = OlderSockets(),
    hasCookies: Bool = KernelRelease.givesCookies, at now: Instant
  ) throws(WitnessError) {
    program = try WitnessProgram(tier, room: room, hasCookies: hasCookies)
    ledger = WitnessLedger(tier: tier, slotCount: program.table.count, olderSockets: olderSockets, at: now)
    (swept, settled) = (now, now)
  }

  /// The best program that `choice` allows and the kernel takes; nil where there is none, each with why not.
  static func open(
    _ choice: WitnessChoice, olderSockets: OlderSockets = OlderSockets(), failures: inout [WitnessError],
    at now: Instant
  ) -> Witness? {
    for tier in choice.tiers {
      do throws(WitnessError) { return try Witness(tier, olderSockets: olderSockets, at: now) } catch {
        failures.append(error)
      }
    }
    return nil
  }

  /// What is at work.
  public var tier: WitnessTier { program.tier }

  /// False once the program is gone from the kernel.
  var isAtWork: Bool { program.isAtWork }

  /// Takes what is left of the program out of the kernel.
  func detach() { program.detach() }

  /// Readable for poll(2) while much waits to be read.
  var descriptor: CInt { program.descriptor }

  /// What there was no room for.
  public var lost: WitnessLosses { program.losses }

  /// Who a user is, as far as that was reported.
  mutating func find(
    _ user: WitnessUser, place: (WitnessedProcess) -> ProcessDescription
  ) -> WitnessedProcesses.Found? { ledger.processes.find(user, place: place) }

  /// Reads the records that wait into the ledger. Gives each to `body` first.
  mutating func read(at now: Instant, _ body: (WitnessRecord) -> Void = { _ in }) {
    Self.read(&program, into: &ledger, malformed: &malformed, at: now, body)
  }

  private static func read(
    _ program: inout WitnessProgram, into ledger: inout WitnessLedger, malformed: inout UInt64,
    at now: Instant, _ body: (WitnessRecord) -> Void
  ) {
    program.read(malformed: &malformed) { record in
      body(record)
      ledger.take(record, at: now)
    }
  }

  /// Reads, and counts what was moved until `now`.
  mutating func settle(at now: Instant) {
    read(at: now)
    let losses = program.losses
    let table = program.table
    if losses.unreported != self.losses.unreported || now - swept >= Self.sweepInterval {
      // What was not reported may be in any slot.
      if losses.unreported != self.losses.unreported { table.mapAll() }
      table.apply(ledger.sweep(at: now, below: table.mappedCount) { table.contents($0) })
      swept = now
    }
    self.losses = losses
    table.apply(ledger.settle(at: now) { table.contents($0) })
    settled = now
  }

  /// Reads, and counts where it is time for that: while most slots are free it can wait a moment.
  mutating func relieve(at now: Instant) {
    read(at: now)
    if ledger.isCrowded || now - settled >= Self.settleInterval { settle(at: now) }
  }

  /// Reports who moved how much since the last call, and who was seen to use a socket since then.
  public mutating func tell(at now: Instant, _ body: (WitnessLedger.Movement) -> Void) {
    settle(at: now)
    ledger.tell(body)
  }
}

extension WitnessTable {
  fileprivate func apply(_ slots: WitnessLedger.Slots) {
    for slot in slots.retired { retire(slot) }
    for slot in slots.freed { free(slot) }
  }
}
