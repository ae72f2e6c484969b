import CBPF

/// The table that the BPF program fills, mapped; takes the program out of the kernel when nobody has it any more.
@safe package final class WitnessTable {
  /// How many slots there are.
  package let count: Int
  /// How many of them this process has mapped: the first ones, or all.
  package private(set) var mappedCount: Int

  package let handle: OpaquePointer
  private let slots: UnsafeMutablePointer<witness_slot>

  /// Takes over what `cbpf_open` returned.
  @unsafe package init(
    owning handle: OpaquePointer, _ slots: UnsafeMutablePointer<witness_slot>, count: Int, mapped: Int
  ) {
    unsafe self.handle = handle
    unsafe self.slots = slots
    self.count = count
    mappedCount = mapped
  }

  deinit { unsafe cbpf_close(handle) }

  /// Maps all slots; without memory for that the others hold nothing.
  package func mapAll() {
    guard mappedCount < count, unsafe cbpf_map_all(handle) == 0 else { return }
    mappedCount = count
  }

  /// Whether a slot can be read, for which all are mapped where that is necessary.
  private func has(_ index: Int) -> Bool {
    guard index >= 0, index < count else { return false }
    if index >= mappedCount { mapAll() }
    return index < mappedCount
  }

  /// What a slot holds now.
  package func contents(_ index: Int) -> WitnessSlot {
    guard has(index) else { return WitnessSlot() }
    // In bounds: checked above. The program adds to these numbers meanwhile; each is read whole.
    let slot = unsafe slots[index]
    return WitnessSlot(
      socket: slot.socket, process: slot.process, start: slot.start, claims: slot.claims,
      isEnded: slot.ended != 0, sent: slot.sent,
      received: slot.received, transmitted: slot.ends_or_transmitted, consumed: slot.consumed)
  }

  /// Lets no program find the slot any more. One that has found it may still add to it for a moment.
  package func retire(_ index: Int) {
    guard has(index) else { return }
    // In bounds: checked above. The key first: nothing matches a slot without it.
    unsafe slots[index].socket = 0
    unsafe slots[index].start = 0
    unsafe slots[index].process = 0
  }

  /// Gives a slot back that was retired a moment ago.
  package func free(_ index: Int) {
    guard has(index) else { return }
    // In bounds: checked above. The claim last: a program that sees none takes the slot.
    unsafe slots[index].sent = 0
    unsafe slots[index].received = 0
    unsafe slots[index].ends_or_transmitted = 0
    unsafe slots[index].consumed = 0
    unsafe slots[index].reported = 0
    unsafe slots[index].ended = 0
    unsafe cbpf_release(slots + index)
  }
}

/// A slot of the table: a socket and a process that uses it.
package struct WitnessSlot: Sendable, Hashable {
  package var socket: UInt64 = 0
  package var process: UInt32 = 0
  package var start: UInt64 = 0
  package var claims: UInt32 = 0
  /// The TCP connection has closed.
  package var isEnded = false
  /// Payload that the process gave to the socket and took from it, as far as calls are counted.
  package var sent: UInt64 = 0
  package var received: UInt64 = 0
  /// TCP's own counts when the process last used the socket.
  package var transmitted: UInt64 = 0
  package var consumed: UInt64 = 0
}
