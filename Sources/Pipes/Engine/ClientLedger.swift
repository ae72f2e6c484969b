import Model
import Synchronization

/// What was delivered per client address, for a bounded number of addresses.
final class ClientLedger: Sendable {
  /// A connection, as its client's bytes are counted.
  final class Account: Sendable {
    /// What was delivered.
    let counters = ByteCounters()
    private let isClosed = Atomic<Bool>(false)

    /// Whether more may come.
    var isOpen: Bool { !isClosed.load(ordering: .acquiring) }

    fileprivate func close() { isClosed.store(true, ordering: .releasing) }
  }

  /// Who a row is for.
  enum Key: Sendable, Hashable {
    /// Every client of this address.
    case address(IPAddress)
    /// A process of this host.
    case process(ProcessIdentity, name: String, uid: UInt32)
  }

  /// A connection that a process of this host may have made.
  struct Unnamed: Sendable {
    /// The client's end.
    var source: Endpoint
    /// Ours.
    var destination: Endpoint
    /// What it moved so far is counted here.
    var account: Account
  }

  /// A client with its bytes.
  struct Row: Sendable {
    /// Who.
    var key: Key
    /// Bytes since start.
    var usage: Usage
    /// Open connections.
    var connections: Int
  }

  fileprivate struct Entry {
    // Those that have closed are among them until they are settled.
    var accounts: [Account] = []
    var settled = Usage.zero

    var usage: Usage { accounts.reduce(settled) { $0 + $1.counters.usage } }

    mutating func settle() {
      accounts.removeAll { account in
        // This is read before the bytes: a closed connection moves nothing more.
        if account.isOpen { return false }
        settled += account.counters.usage
        return true
      }
      // Its room too.
      if accounts.isEmpty { accounts = [] }
    }
  }

  fileprivate struct State {
    var entries: [Key: Entry] = [:]
    // What had no row, or has none any more.
    var evicted = Entry()
    var evictions: UInt64 = 0
    var unnamed: [Unnamed] = []
    // Connections in entries, and how many have closed since they were settled.
    var counted = 0
    var closed = 0
    // Entries without connections.
    var idle = 0
  }

  private let limit: Int
  private let state = Mutex(State())

  /// Makes an empty ledger with room for `limit` rows and as many unnamed connections.
  init(limit: Int = 10_000) { self.limit = limit }

  /// The account of a new connection. `destination` is our end, where a process of this host may be the client.
  func open(_ source: Endpoint, destination: Endpoint?) -> Account {
    let account = Account()
    state.withLock { state in
      if let destination, state.unnamed.count < limit {
        state.unnamed.append(Unnamed(source: source, destination: destination, account: account))
      } else {
        state.add(account, .address(source.address), limit)
      }
    }
    return account
  }

  /// Says that nothing more comes of a connection. What has closed is folded now and then, so that memory is bounded
  /// by `limit` and what is open, whether or not somebody asks for rows.
  func close(_ account: Account) {
    account.close()
    state.withLock { state in
      state.closed += 1
      if state.closed > max(limit / 8, state.counted / 2) { state.settle() }
    }
  }

  /// The connections without a process, each handed out once: put them back with `name`.
  func takeUnnamed() -> [Unnamed] {
    state.withLock { state in
      defer { state.unnamed = [] }
      return state.unnamed
    }
  }

  /// Counts a connection for `key` from now on, with what it moved before.
  func name(_ unnamed: Unnamed, _ key: Key) {
    state.withLock { $0.add(unnamed.account, key, limit) }
  }

  /// Open connections that are counted with what had no room.
  var evictedConnections: Int { state.withLock { $0.evicted.accounts.count(where: \.isOpen) } }

  /// All rows, at most `limit`; what had no room, and how many that were.
  ///
  /// Closed connections are folded into their row. At the limit those without open connections that have least make
  /// room for new ones; where there are none, a new client is counted with what had no room.
  func rows() -> (rows: [Row], evicted: Usage, evictions: UInt64) {
    state.withLock { state in
      state.settle()
      let rows = state.entries.map { key, entry in
        Row(key: key, usage: entry.usage, connections: entry.accounts.count)
      }
      return (rows, state.evicted.usage, state.evictions)
    }
  }
}

extension ClientLedger.State {
  fileprivate mutating func add(_ account: ClientLedger.Account, _ key: ClientLedger.Key, _ limit: Int) {
    counted += 1
    if entries[key] == nil && entries.count >= limit { makeRoom(max(1, limit / 16)) }
    if let entry = entries[key] {
      if entry.accounts.isEmpty { idle -= 1 }
    } else if entries.count >= limit {
      evictions += 1
      return evicted.accounts.append(account)
    }
    entries[key, default: ClientLedger.Entry()].accounts.append(account)
  }

  fileprivate mutating func settle() {
    for key in entries.keys { entries[key]?.settle() }
    evicted.settle()
    idle = entries.values.count(where: \.accounts.isEmpty)
    counted = entries.values.reduce(evicted.accounts.count) { $0 + $1.accounts.count }
    closed = 0
  }

  /// Evicts so many at once that it need not be done for each new client.
  private mutating func makeRoom(_ count: Int) {
    if idle == 0 && closed >= count { settle() }
    guard idle > 0 else { return }
    let smallest = entries.filter { $0.value.accounts.isEmpty }
      .sorted { $0.value.settled.sum < $1.value.settled.sum }
    for (key, entry) in smallest.prefix(count) {
      entries[key] = nil
      evicted.settled += entry.settled
      evictions += 1
      idle -= 1
    }
  }
}
