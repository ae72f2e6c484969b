extension OwnerFinder {
  /// Reads all descriptors of the next `limit` processes, to find the sockets they share; true when that ended a
  /// round through all processes.
  ///
  /// To be called when there is nothing else to do: what it finds is exact for sockets that were found before the
  /// last whole round began (`Holding.isConfirmed`).
  public mutating func confirm(limit: Int) -> Bool {
    _ = handleProcessEvents()
    if waiting.isEmpty {
      if eventDescriptor == nil { relist() }
      waiting = Array(living.pids)
    }
    for pid in waiting.suffix(max(limit, 0)) { _ = read(pid, rereads: true, seeking: 0) }
    waiting.removeLast(min(max(limit, 0), waiting.count))
    guard waiting.isEmpty else { return false }
    rounds += 1
    return true
  }
}
