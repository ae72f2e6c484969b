import CBPF
import SystemRuntime
import Glibc
import KernelLab
import Model
import Testing

@testable import Netfilter
@testable import Ownership

@Suite struct WitnessLedgerTests {
  private static let start = Instant.now
  private static let first = WitnessUser(4711, 3_478_430_012_345)
  private static let second = WitnessUser(4712, 3_478_430_112_345)

  private static func socket(
    _ key: UInt64 = 1, flags: CUnsignedInt = 0, isDatagram: Bool = false
  ) -> WitnessedSocket {
    var socket = WitnessRecorded.socket(key: key, flags: flags)
    if isDatagram { (socket.type, socket.`protocol`) = (UInt16(SOCK_DGRAM.rawValue), UInt16(IPPROTO_UDP)) }
    return WitnessedSocket(socket)
  }

  /// A ledger, the table that it reads, and the time.
  private struct Run {
    var ledger: WitnessLedger
    var table: [Int: WitnessSlot] = [:]
    var now = start
    /// What was reported last of each socket.
    var sockets: [UInt64: WitnessedSocket] = [:]

    init(_ tier: WitnessTier, slotCount: Int = 16, older: OlderSockets = OlderSockets()) {
      ledger = WitnessLedger(tier: tier, slotCount: slotCount, olderSockets: older, at: start)
    }

    mutating func see(
      _ slot: Int, _ user: WitnessUser?, _ socket: WitnessedSocket = socket(), payload: Usage = .zero
    ) throws {
      let user = try #require(user)
      table[slot] = WitnessSlot(
        socket: socket.key, process: UInt32(user.pid), start: user.start, claims: 1,
        transmitted: payload.sent,
        consumed: payload.received)
      ledger.take(.firstUse(slot: UInt32(slot), user: user, socket: socket, payload: payload), at: now)
    }

    /// What each process moved, after `seconds`; slots are retired and given back as is asked.
    mutating func settle(after seconds: Double = 1) -> [WitnessUser: Usage] {
      now += .seconds(seconds)
      let table = table
      apply(ledger.settle(at: now) { table[$0] ?? WitnessSlot() })
      var usages: [WitnessUser: Usage] = [:]
      tell { if !$0.usage.isZero { usages[$0.user, default: .zero] += $0.usage } }
      return usages
    }

    /// What there is to tell since the last time.
    mutating func tell(_ body: (WitnessLedger.Movement) -> Void) {
      sockets = [:]
      ledger.tell {
        sockets[$0.key] = $0.socket
        body($0)
      }
    }

    mutating func apply(_ slots: WitnessLedger.Slots) {
      for slot in slots.retired {
        self.table[slot]?.socket = 0
        self.table[slot]?.process = 0
        self.table[slot]?.start = 0
      }
      for slot in slots.freed { self.table[slot] = nil }
    }
  }

  @Test func `what two processes move through a socket is each one's own`() throws {
    var run = Run(.calls)
    try run.see(3, Self.first)
    try run.see(9, Self.second)
    run.table[3]?.sent = 70
    run.table[9]?.sent = 30
    run.table[9]?.received = 5
    #expect(
      run.settle() == [
        try #require(Self.first): Usage(sent: 70), try #require(Self.second): Usage(received: 5, sent: 30),
      ])
    #expect(run.settle().isEmpty)
    run.table[3]?.sent = 71
    #expect(run.settle() == [try #require(Self.first): Usage(sent: 1)])
  }

  @Test func `one process in two slots of a socket is reported as one`() throws {
    var run = Run(.calls)
    try run.see(3, Self.first)
    try run.see(4, Self.first)
    run.table[3]?.received = 10
    run.table[4]?.received = 20
    #expect(run.settle() == [try #require(Self.first): Usage(received: 30)])
  }

  @Test func `what splice took is counted, what recv took only once`() throws {
    var run = Run(.calls)
    try run.see(3, Self.first)
    run.table[3]?.consumed = 100
    #expect(run.settle() == [try #require(Self.first): Usage(received: 100)])
    run.table[3]?.received = 50
    run.table[3]?.consumed = 150
    #expect(run.settle() == [try #require(Self.first): Usage(received: 50)])
  }

  @Test func `of a socket that was there before, nothing older is reported`() throws {
    var run = Run(.calls, older: OlderSockets([1: Usage(received: 1_000_000, sent: 7)]))
    try run.see(3, Self.first, payload: Usage(received: 1_000_000, sent: 7))
    run.table[3]?.received = 50
    #expect(run.settle() == [try #require(Self.first): Usage(received: 50)])
  }

  @Test func `what a socket carries from the start to its first use is reported`() throws {
    var run = Run(.packets, older: OlderSockets([1: Usage(received: 1_000_000, sent: 7)]))
    try run.see(3, Self.first, payload: Usage(received: 1_000_050, sent: 9))
    #expect(run.settle() == [try #require(Self.first): Usage(received: 50, sent: 2)])
  }

  @Test func `where older sockets are not known, nothing is reported from before the first use`() throws {
    var run = Run(.packets, older: OlderSockets(areAll: false))
    try run.see(3, Self.first, payload: Usage(received: 1_000_050, sent: 9))
    #expect(run.settle() == [:])
    run.table[3]?.consumed = 1_000_060
    #expect(run.settle() == [try #require(Self.first): Usage(received: 10)])
  }

  @Test func `an older socket that is connected again counts from nothing`() throws {
    var run = Run(.packets, older: OlderSockets([1: Usage(received: 500, sent: 7)]))
    try run.see(3, Self.first, payload: Usage(received: 20, sent: 9))
    #expect(run.settle() == [try #require(Self.first): Usage(received: 20, sent: 9)])
  }

  @Test func `a second process takes nothing that the first has spliced`() throws {
    var run = Run(.calls)
    try run.see(3, Self.first)
    run.table[3]?.consumed = 100
    _ = run.settle()
    try run.see(4, Self.second, payload: Usage(received: 100))
    run.table[4]?.received = 11
    run.table[3]?.received = 2
    #expect(
      run.settle() == [
        try #require(Self.first): Usage(received: 2), try #require(Self.second): Usage(received: 11),
      ])
  }

  @Test func `TCP's own counts go to whoever used the socket up to each of them`() throws {
    var run = Run(.packets)
    try run.see(3, Self.first, payload: Usage(received: 10))
    try run.see(4, Self.second, payload: Usage(received: 10))
    run.table[3]?.consumed = 40
    run.table[3]?.transmitted = 5
    run.table[4]?.consumed = 100
    #expect(
      run.settle() == [
        try #require(Self.first): Usage(received: 40, sent: 5),
        try #require(Self.second): Usage(received: 60),
      ])
    // What the kernel sent after the last use is in the slot of the last user, once the socket has closed.
    run.table[4]?.transmitted = 25
    run.table[4]?.isEnded = true
    #expect(run.settle() == [try #require(Self.second): Usage(sent: 20)])
  }

  @Test func `packets of datagram sockets are counted by process`() throws {
    var run = Run(.packets)
    try run.see(3, Self.first, Self.socket(isDatagram: true))
    run.table[3]?.sent = 64
    #expect(run.settle() == [try #require(Self.first): Usage(sent: 64)])
  }

  @Test func `a slot is given back a moment after its socket has closed, with what came to it meanwhile`()
    throws
  {
    var run = Run(.calls)
    try run.see(3, Self.first)
    run.table[3]?.isEnded = true
    // Read after the end of the connection.
    run.table[3]?.received = 10
    #expect(run.settle() == [try #require(Self.first): Usage(received: 10)])
    #expect(run.table[3]?.socket == 0 && run.settle(after: 0.9).isEmpty && run.ledger.count == 1)
    run.table[3]?.received = 13
    #expect(run.settle() == [try #require(Self.first): Usage(received: 3)])
    #expect(run.table.isEmpty && run.ledger.count == 0 && run.sockets[1] == Self.socket())
    #expect(run.settle().isEmpty && run.sockets.isEmpty && run.ledger.mismatches == 0)
  }

  @Test func `a socket that connects again is open again`() throws {
    var run = Run(.packets)
    try run.see(3, Self.first, payload: .zero)
    run.table[3]?.transmitted = 100
    run.table[3]?.isEnded = true
    #expect(run.settle() == [try #require(Self.first): Usage(sent: 100)])
    try run.see(4, Self.first)
    run.table[4]?.transmitted = 30
    #expect(run.settle() == [try #require(Self.first): Usage(sent: 30)])
    for _ in 0..<5 { _ = run.settle() }
    #expect(run.ledger.count == 1)
  }

  @Test func `a socket has the ends that it was last seen with`() throws {
    var run = Run(.calls)
    var socket = Self.socket(isDatagram: true)
    socket.remote.port = 0
    try run.see(3, Self.first, socket)
    run.ledger.take(
      .firstUse(
        slot: 3, user: try #require(Self.first), socket: Self.socket(isDatagram: true), payload: .zero),
      at: run.now)
    run.table[3]?.sent = 5
    var reported: [(port: UInt16, usage: Usage)] = []
    _ = run.ledger.settle(at: run.now) { run.table[$0] ?? WitnessSlot() }
    run.tell { reported.append(($0.socket.remote.port, $0.usage)) }
    #expect(reported.map(\.port) == [0, 38_853] && reported.map(\.usage) == [.zero, Usage(sent: 5)])
    #expect(run.ledger.count == 1)
  }

  @Test func `who was seen is reported once, also without payload`() throws {
    var run = Run(.calls)
    try run.see(3, Self.first)
    var reported: [WitnessLedger.Movement] = []
    for _ in 0..<2 { run.tell { reported.append($0) } }
    #expect(
      reported == [
        WitnessLedger.Movement(
          key: 1, socket: Self.socket(), user: try #require(Self.first), usage: .zero)
      ])
  }

  @Test func `a process that comes back to a socket has nothing twice`() throws {
    var run = Run(.calls)
    try run.see(3, Self.first)
    run.table[3]?.consumed = 100
    run.table[3]?.isEnded = true
    #expect(run.settle() == [try #require(Self.first): Usage(received: 100)])
    // Read after the end of the connection, under a slot of its own.
    try run.see(4, Self.first, payload: Usage(received: 107))
    run.table[4]?.received = 7
    #expect(run.settle() == [try #require(Self.first): Usage(received: 7)])
    for _ in 0..<3 { #expect(run.settle().isEmpty) }
  }

  @Test func `a retired slot is given back at once when all programs have ended that ran then`() throws {
    var run = Run(.calls)
    try run.see(3, Self.first)
    run.table[3]?.sent = 70
    run.table[3]?.isEnded = true
    _ = run.settle()
    let retired = run.ledger.settlements
    // What a program that had found it adds before it ends is reported too.
    run.table[3]?.sent = 71
    run.ledger.clear(retiredBy: retired - 1)
    #expect(run.settle(after: 0.1).isEmpty && run.ledger.count == 1)
    run.ledger.clear(retiredBy: retired)
    #expect(run.settle(after: 0.1) == [try #require(Self.first): Usage(sent: 1)])
    #expect(run.ledger.count == 0 && run.table.isEmpty)
  }

  @Test func `slots that rest are given back only while most are in use`() throws {
    var run = Run(.calls, slotCount: 16)
    for slot in 0..<8 { try run.see(slot, Self.first, Self.socket(UInt64(slot + 1), isDatagram: true)) }
    _ = run.settle(after: 100)
    #expect(run.table.count == 8 && run.table.values.allSatisfy { $0.socket != 0 })
    try run.see(8, Self.first, Self.socket(9, isDatagram: true))
    _ = run.settle(after: 5)
    #expect(run.table.values.count { $0.socket == 0 } == 8)
    _ = run.settle(after: 1)
    #expect(run.table.count == 1 && run.ledger.count == 1)
  }

  @Test func `a connection that comes back after its slot was given back is not counted again`() throws {
    var run = Run(.calls, slotCount: 2)
    try run.see(0, Self.first)
    try run.see(1, Self.second, Self.socket(2))
    run.table[0]?.consumed = 500
    #expect(run.settle() == [try #require(Self.first): Usage(received: 500)])
    for _ in 0..<3 { _ = run.settle(after: 2) }
    #expect(run.table.isEmpty)
    try run.see(0, Self.first, payload: Usage(received: 520))
    run.table[0]?.received = 20
    #expect(run.settle() == [try #require(Self.first): Usage(received: 20)])
  }

  @Test func `a slot that holds something else than was reported is let go of`() throws {
    var run = Run(.calls)
    try run.see(3, Self.first)
    run.table[3]?.start = 5
    run.table[3]?.sent = 5
    #expect(run.settle().isEmpty)
    #expect(run.ledger.mismatches == 1 && run.ledger.count == 0)
  }
}
