import Model

/// The totals of each application: a bounded number of them, and one for all that had no room.
struct ApplicationTable: Sendable {
  /// A place in the table, and which of its tenants is meant.
  struct Handle: Sendable, Hashable {
    fileprivate var slot: Int
    fileprivate var tenant: UInt32
  }

  private struct Slot {
    var name: String
    var tenant: UInt32
    var total = Usage.zero
    var moved = Usage.zero
    /// What of `moved` passed each interface that was asked for.
    var interfaces: [InterfaceUsage] = []
    var certainty = Certainty()
    /// The living processes, by pid; one pid twice while a process that ended is not yet known to have.
    var pids: [Int32] = []
    /// What only pipes move has no process, and has not ended for that.
    var hadProcesses = false
    var lastTick: Int

    /// Where `pid` stands or would stand.
    func position(of pid: Int32) -> Int {
      var low = 0
      var high = pids.count
      while low < high {
        let middle = (low + high) / 2
        if pids[middle] < pid { low = middle + 1 } else { high = middle }
      }
      return low
    }
  }

  let limit: Int
  private var slots: [Slot] = []
  private var handles: [String: Handle] = [:]
  private var tick = 0
  private(set) var evicted = Usage.zero
  private(set) var evictedMoved = Usage.zero
  /// Applications that were folded into `evicted`.
  private(set) var folded: UInt64 = 0
  /// Slots that may be emptied, the least recently active last; of the tick that is noted beside them.
  private var candidates: (tick: Int, slots: [Int]) = (0, [])

  init(limit: Int) { self.limit = max(1, limit) }

  var count: Int { handles.count }

  /// Starts an interval: nothing has moved in it.
  mutating func beginTick() {
    tick += 1
    evictedMoved = .zero
    for index in slots.indices {
      slots[index].moved = .zero
      if !slots[index].interfaces.isEmpty { slots[index].interfaces.removeAll(keepingCapacity: true) }
    }
  }

  /// The place of the application with the given name, made if there is room; nil if there is not.
  mutating func handle(for name: String) -> Handle? {
    if let handle = handles[name] { return handle }
    guard let handle = makeRoom() else { return nil }
    slots[handle.slot] = Slot(name: name, tenant: handle.tenant, lastTick: tick)
    handles[name] = handle
    return handle
  }

  /// Adds bytes to an application, or to `(evicted)` without one. False, and nothing is added, if the
  /// application has left its place.
  @discardableResult mutating func add(
    _ reading: borrowing Reading, to handle: Handle?, isTimed: Bool
  ) -> Bool {
    let usage = reading.usage
    guard let handle else {
      evicted += usage
      if isTimed { evictedMoved += usage }
      return true
    }
    guard slots[handle.slot].tenant == handle.tenant else { return false }
    slots[handle.slot].total += usage
    slots[handle.slot].certainty = slots[handle.slot].certainty + reading.certainty
    if isTimed {
      slots[handle.slot].moved += usage
      for part in reading.interfaces {
        slots[handle.slot].interfaces.add(part.usage, through: part.interface)
      }
    }
    slots[handle.slot].lastTick = tick
    return true
  }

  /// Notes that a process of the application lives.
  mutating func join(_ pid: Int32, to handle: Handle?) {
    guard let handle, slots[handle.slot].tenant == handle.tenant else { return }
    slots[handle.slot].pids.insert(pid, at: slots[handle.slot].position(of: pid))
    slots[handle.slot].hadProcesses = true
  }

  /// Notes that a process ended, or belongs to another application now.
  mutating func leave(_ pid: Int32, from handle: Handle?) {
    guard let handle, slots[handle.slot].tenant == handle.tenant else { return }
    let position = slots[handle.slot].position(of: pid)
    guard position < slots[handle.slot].pids.count, slots[handle.slot].pids[position] == pid else { return }
    slots[handle.slot].pids.remove(at: position)
  }

  /// One row for each application.
  func appendRows(to rows: inout [UsageRow]) {
    for slot in slots {
      var row = UsageRow(
        name: slot.name, subject: .application(pids: slot.pids), total: slot.total, moved: slot.moved,
        certainty: slot.certainty, hasEnded: slot.hadProcesses && slot.pids.isEmpty)
      row.interfaces = slot.interfaces
      rows.append(row)
    }
  }

  /// A free place: a new one, or that of the application whose processes have all ended and that was active
  /// the longest ago.
  private mutating func makeRoom() -> Handle? {
    if slots.count < limit {
      slots.append(Slot(name: "", tenant: 0, lastTick: tick))
      return Handle(slot: slots.count - 1, tenant: 0)
    }
    if candidates.tick != tick {
      let idle = slots.indices.filter { slots[$0].pids.isEmpty && slots[$0].lastTick < tick }
      candidates = (tick, idle.sorted { slots[$0].lastTick > slots[$1].lastTick })
    }
    while let slot = candidates.slots.popLast() {
      // It may have become active since it was noted.
      guard slots[slot].pids.isEmpty, slots[slot].lastTick < tick else { continue }
      evicted += slots[slot].total
      folded += 1
      handles[slots[slot].name] = nil
      return Handle(slot: slot, tenant: slots[slot].tenant &+ 1)
    }
    return nil
  }
}
