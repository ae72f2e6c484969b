/// Which descriptors of which processes are believed to be which sockets. What it says is looked at before use.
struct SocketHolders {
  /// A descriptor of a process.
  struct Holder: Hashable {
    var pid: Int32
    var number: Int32
  }

  private struct Entry {
    // Most sockets have one holder, and so no list.
    var first: Holder
    var others: [Holder]
  }

  /// Sockets that did not fit, since start.
  private(set) var dropped: UInt64 = 0
  private var entries: [UInt64: Entry] = [:]
  private let limit: Int

  /// Remembers at most `limit` sockets.
  init(limit: Int) { self.limit = limit }

  /// How many sockets are remembered.
  var count: Int { entries.count }

  /// The descriptors that are believed to be the socket.
  func holders(of inode: UInt64) -> [Holder] {
    entries[inode].map { [$0.first] + $0.others } ?? []
  }

  /// Notes that a descriptor is the socket; 0 is no socket.
  mutating func add(_ holder: Holder, of inode: UInt64) {
    guard inode != 0 else { return }
    guard let entry = entries[inode] else {
      if entries.count < limit {
        entries[inode] = Entry(first: holder, others: [])
      } else {
        dropped += 1
      }
      return
    }
    if entry.first != holder, !entry.others.contains(holder) { entries[inode]?.others.append(holder) }
  }

  /// Notes that a descriptor is not, or no more, the socket.
  mutating func remove(_ holder: Holder, of inode: UInt64) {
    guard inode != 0, var entry = entries[inode] else { return }
    if entry.first != holder {
      entries[inode]?.others.removeAll { $0 == holder }
    } else if entry.others.isEmpty {
      entries[inode] = nil
    } else {
      entry.first = entry.others.removeFirst()
      entries[inode] = entry
    }
  }
}
