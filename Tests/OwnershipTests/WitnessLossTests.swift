import CBPF
import SystemRuntime
import Glibc
import KernelLab
import Model
import Testing

@testable import Netfilter
@testable import Ownership

/// What the ledger does where the BPF program or it had no room: every bound has a counter.
@Suite struct WitnessLossTests {
  private static let start = Instant.now
  private static let socket = WitnessedSocket(WitnessRecorded.socket(key: 8))
  private let user: WitnessUser
  private let slot: WitnessSlot
  private var ledger = WitnessLedger(tier: .calls, slotCount: 8, at: start)

  init() throws {
    user = try #require(WitnessUser(4711, 3_478_430_012_345))
    slot = WitnessSlot(
      socket: 8, process: UInt32(user.pid), start: user.start, claims: 1, sent: 40, transmitted: 40)
  }

  private static func at(_ seconds: Double) -> Instant { start + .seconds(seconds) }

  /// What is reported, with slot 5 as the only one in use.
  private mutating func movements(at seconds: Double) -> [WitnessLedger.Movement] {
    var movements: [WitnessLedger.Movement] = []
    let slot = slot
    _ = ledger.settle(at: Self.at(seconds)) { $0 == 5 ? slot : WitnessSlot() }
    ledger.tell { movements.append($0) }
    return movements
  }

  private mutating func sweep(at seconds: Double, _ slots: [Int: WitnessSlot]) -> WitnessLedger.Slots {
    ledger.sweep(at: Self.at(seconds)) { slots[$0] ?? WitnessSlot() }
  }

  /// The same numbers again: nothing moved between the loss of the record and its coming.
  @Test(arguments: [WitnessTier.calls, .packets])
  mutating func `a use whose socket was not reported waits for the record`(tier: WitnessTier) {
    ledger = WitnessLedger(tier: tier, slotCount: 8, at: Self.start)
    #expect(sweep(at: 0, [5: slot]) == WitnessLedger.Slots() && ledger.count == 1)
    #expect(movements(at: 1).isEmpty)
    ledger.take(.firstUse(slot: 5, user: user, socket: Self.socket, payload: Usage(sent: 40)), at: Self.at(1))
    #expect(
      movements(at: 2) == [
        WitnessLedger.Movement(key: 8, socket: Self.socket, user: user, usage: Usage(sent: 40))
      ])
    #expect(movements(at: 60).isEmpty && ledger.dropped == 0)
  }

  @Test mutating func `a use whose socket is never reported is counted once`() {
    _ = sweep(at: 0, [5: slot])
    #expect(movements(at: 9.9).isEmpty && ledger.dropped == 0)
    for seconds in [20.0, 40] { #expect(movements(at: seconds).isEmpty && ledger.dropped == 1) }
  }

  @Test mutating func `a use whose slot is given back without the record of its socket is counted`() {
    _ = sweep(at: 0, [5: slot])
    _ = ledger.settle(at: Self.at(1)) { _ in WitnessSlot() }
    #expect(ledger.count == 0 && ledger.dropped == 1)
  }

  @Test mutating func `a slot that nobody owns is given back after a second, however often is looked`() {
    // What two have wanted may just be on its way to one.
    let claimed = [6: WitnessSlot(claims: 2)]
    for seconds in [0, 0.001, 0.9] { #expect(sweep(at: seconds, claimed).freed.isEmpty) }
    #expect(sweep(at: 1, claimed).freed == [6])
    #expect(sweep(at: 1.1, claimed).freed.isEmpty)
  }

  @Test func `sockets that rested without room are counted, and those that may be one of them`() {
    var rested = RestedSockets(limit: 2, isIncomplete: false)
    for key in [1, 2, 2] as [UInt64] { rested.insert(key) }
    let carried = Usage(sent: 1)
    #expect(rested.take(1, carried: carried) && !rested.take(1, carried: carried))
    rested.insert(3)
    #expect(rested.count == 2 && rested.dropped == 0)
    rested.insert(4)
    #expect(rested.dropped == 1)
    #expect(rested.take(9, carried: carried) && !rested.take(10, carried: .zero) && rested.dropped == 2)
  }

  @Test func `where older sockets are not known each may have rested, which is said elsewhere`() {
    var rested = RestedSockets(limit: 2, isIncomplete: true)
    #expect(rested.take(9, carried: Usage(sent: 1)) && rested.dropped == 0)
  }

  @Test func `processes whose ends are lost do not fill the memory`() throws {
    var processes = WitnessedProcesses()
    let limit = WitnessedProcesses.limit
    for pid in 1...UInt32(limit) { processes.take(try process(pid), at: Self.start) }
    let asked = try process(1)
    _ = processes.find(asked.user) {
      ProcessDescription(
        identity: $0.user.identity, uid: 0, executable: nil, arguments: [], commandLine: $0.text)
    }
    processes.take(try process(UInt32(limit) + 1), at: Self.start)
    #expect(processes.count == limit - limit / 8 + 1 && processes.dropped == UInt64(limit / 8))
    // Who was asked for lately is kept.
    #expect(processes[asked.user] != nil)
    #expect(processes[try process(2).user] == nil)
  }

  @Test func `ended processes make room first, and are no loss`() throws {
    var processes = WitnessedProcesses()
    let limit = WitnessedProcesses.limit
    for pid in 1...UInt32(limit) { processes.take(try process(pid), at: Self.start) }
    for pid in 1...UInt32(limit / 2) { processes.end(try process(pid).user, at: Self.start) }
    processes.take(try process(UInt32(limit) + 1), at: Self.start)
    #expect(processes.count == limit / 2 + 1 && processes.dropped == 0)
  }

  private func process(_ pid: UInt32) throws -> WitnessedProcess {
    let record = WitnessRecorded.process([], pid: pid)
    let process = unsafe WitnessedProcess(record.span.bytes)
    return try #require(process)
  }

  @Test mutating func `a name is kept for some time after the end of its process`() {
    let records = WitnessRecorded.decode(
      WitnessRecorded.framed([WitnessRecorded.process(Array("curl\0".utf8)), WitnessRecorded.exit()])
    ).records
    for record in records { ledger.take(record, at: Self.start) }
    _ = movements(at: 5)
    #expect(ledger.process(user)?.commandLine?.text == "curl")
    _ = movements(at: 11)
    #expect(ledger.process(user) == nil)
  }
}
