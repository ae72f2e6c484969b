import Model
import Synchronization

/// What was delivered per client address, for a bounded number of addresses.
final class ClientLedger: Sendable {
  /// A connection, as its client's bytes are counted.
  final class Account: Sendable {
    /// What was delivered.
    let tally = Tally()
    private let isClosed = Atomic<Bool>(false)

    /// Whether more may come.
    var isOpen: Bool { !isClosed.load(ordering: .acquiring) }

    /// Says that nothing more comes.
    func close() { isClosed.store(true, ordering: .releasing) }
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

  fileprivate struct State {
    var accounts: [Key: [Account]] = [:]
    var settled: [Key: Usage] = [:]
    var unnamed: [Unnamed] = []
    var evicted = Usage.zero
    var evictions: UInt64 = 0
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
        state.accounts[.address(source.address), default: []].append(account)
      }
    }
    return account
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
    state.withLock { $0.accounts[key, default: []].append(unnamed.account) }
  }

  /// All rows, what had no room, and how many that were. Closed connections are folded into their row, and beyond
  /// the limit the rows without open connections into one.
  func rows() -> (rows: [Row], evicted: Usage, evictions: UInt64) {
    state.withLock { state in
      state.settle()
      state.evict(limit)
      let rows = Set(state.accounts.keys).union(state.settled.keys).map { key in
        let live = state.accounts[key] ?? []
        return Row(
          key: key, usage: live.reduce(state.settled[key] ?? .zero) { $0 + $1.tally.usage },
          connections: live.count)
      }
      return (rows, state.evicted, state.evictions)
    }
  }
}

extension ClientLedger.State {
  fileprivate mutating func settle() {
    for (key, list) in accounts {
      var live: [ClientLedger.Account] = []
      var closed = Usage.zero
      for account in list {
        // The count is read before the bytes: a closed connection moves nothing more.
        if account.isOpen { live.append(account) } else { closed += account.tally.usage }
      }
      guard live.count < list.count else { continue }
      settled[key, default: .zero] += closed
      accounts[key] = live.isEmpty ? nil : live
    }
  }

  fileprivate mutating func evict(_ limit: Int) {
    let idle = settled.keys.filter { accounts[$0] == nil }
    let surplus = idle.count + accounts.count - limit
    guard surplus > 0 else { return }
    let smallest = idle.sorted { (settled[$0] ?? .zero).sum < (settled[$1] ?? .zero).sum }
    for key in smallest.prefix(surplus) {
      evicted += settled.removeValue(forKey: key) ?? .zero
      evictions += 1
    }
  }
}
