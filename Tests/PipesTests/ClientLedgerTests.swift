import Model
import Testing

@testable import Pipes

@Suite struct ClientLedgerTests {
  private func client(_ number: Int) -> Endpoint {
    Endpoint(address: IPAddress(v4: UInt32(number)), port: 1)
  }

  /// A connection of a client, which delivers `bytes`.
  private func open(_ ledger: ClientLedger, _ number: Int, _ bytes: Int) -> ClientLedger.Account {
    let account = ledger.open(client(number), destination: nil)
    account.counters.add(bytes, .received)
    return account
  }

  private func sum(_ ledger: ClientLedger) -> UInt64 {
    let (rows, evicted, _) = ledger.rows()
    return rows.reduce(evicted) { $0 + $1.usage }.received
  }

  @Test func `a client's row has all its connections, open and closed`() throws {
    let ledger = ClientLedger()
    let kept = open(ledger, 1, 10)
    ledger.close(open(ledger, 1, 5))
    kept.counters.add(1, .received)
    let row = try #require(ledger.rows().rows.first)
    #expect(row.key == .address(client(1).address) && row.usage.received == 16 && row.connections == 1)
    ledger.close(kept)
    #expect(ledger.rows().rows.map(\.connections) == [0])
    #expect(sum(ledger) == 16)
  }

  @Test func `beyond the limit the idle are folded into one, and no byte is lost`() {
    let ledger = ClientLedger(limit: 10)
    for number in 1...50 {
      let account = ledger.open(client(number), destination: nil)
      account.counters.add(number, .received)
      ledger.close(account)
    }
    let (rows, evicted, evictions) = ledger.rows()
    #expect(rows.count == 10)
    #expect(evictions == 40)
    #expect(rows.reduce(evicted.received) { $0 + $1.usage.received } == 50 * 51 / 2)
    #expect(rows.allSatisfy { $0.usage.received > 40 })
  }

  @Test func `a connection gets its name later, with what it moved before`() throws {
    let ledger = ClientLedger()
    let account = ledger.open(client(1), destination: client(2))
    account.counters.add(7, .received)
    #expect(ledger.rows().rows.isEmpty)
    let unnamed = ledger.takeUnnamed()
    #expect(unnamed.map(\.source) == [client(1)])
    #expect(ledger.takeUnnamed().isEmpty)
    let key = ClientLedger.Key.process(ProcessIdentity(pid: 3, startTime: 4), name: "curl", uid: 0)
    ledger.name(try #require(unnamed.first), key)
    #expect(ledger.rows().rows.map(\.key) == [key])
    #expect(ledger.rows().rows.map(\.usage.received) == [7])
  }

  @Test(arguments: [1, 3, 100])
  func `no bytes are lost and no row is too many, however many come`(limit: Int) {
    let ledger = ClientLedger(limit: limit)
    var accounts: [ClientLedger.Account] = []
    for number in 0..<1000 {
      accounts.append(open(ledger, number, number))
      if number % 3 == 0 { ledger.close(accounts.removeFirst()) }
      if number % 50 == 0 { #expect(ledger.rows().rows.count <= limit) }
    }
    #expect(ledger.rows().rows.count == limit)
    #expect(sum(ledger) == 499_500)
    for account in accounts {
      account.counters.add(1, .received)
      ledger.close(account)
    }
    #expect(ledger.rows().rows.count <= limit)
    #expect(sum(ledger) == 499_500 + UInt64(accounts.count))
  }

  @Test func `of those that have gone the least makes room`() {
    let ledger = ClientLedger(limit: 3)
    let kept = open(ledger, 1, 1)
    ledger.close(open(ledger, 2, 20))
    ledger.close(open(ledger, 3, 30))
    #expect(ledger.rows().evictions == 0)
    let fourth = open(ledger, 4, 40)
    let (rows, evicted, evictions) = ledger.rows()
    #expect(Set(rows.map(\.usage.received)) == [1, 30, 40])
    #expect(evicted.received == 20 && evictions == 1)
    ledger.close(kept)
    ledger.close(fourth)
  }

  @Test func `with all rows in use a new client has none, from its start to its end`() {
    let ledger = ClientLedger(limit: 2)
    let kept = [open(ledger, 1, 1), open(ledger, 2, 1)]
    let late = open(ledger, 3, 100)
    #expect(ledger.rows().evicted.received == 100)
    ledger.close(kept[0])
    late.counters.add(1, .received)
    #expect(ledger.rows().evicted.received == 101)
    #expect(Set(ledger.rows().rows.map(\.key)) == [.address(client(1).address), .address(client(2).address)])
    ledger.close(late)
    #expect(ledger.rows().evicted.received == 101)
  }

  @Test func `what has closed is let go although nobody asks for rows`() {
    let ledger = ClientLedger(limit: 80)
    let kept = open(ledger, 0, 1)
    var closed: [Weak] = []
    for number in 0..<1000 {
      let account = open(ledger, number % 2, 1)
      ledger.close(account)
      closed.append(Weak(account))
    }
    #expect(closed.count { $0.account != nil } <= 11)
    #expect(sum(ledger) == 1001)
    #expect(kept.isOpen)
  }

  private struct Weak {
    weak var account: ClientLedger.Account?

    init(_ account: ClientLedger.Account) { self.account = account }
  }
}
