import CBPF
import KernelLab
import Model
import SystemRuntime

@testable import Netfilter
@testable import Ownership

extension Target {
  /// Records of the BPF program, framed as its reader takes them; then the sums that are made of them.
  static func witness(_ input: [UInt8]) throws(Violation) {
    var records: [WitnessRecord] = []
    var malformed: UInt64 = 0
    WitnessRecord.forEach(in: unsafe input.span.bytes, malformed: &malformed) { records.append($0) }
    try law("a record needs its frame", (records.count + Int(malformed)) * 8 <= input.count + 8)
    for record in records {
      if case .process(let process) = record {
        try law("a name has at most 16 bytes", process.name.utf8.count <= 3 * 16)
        try law("arguments lie in the record", (process.commandLine?.text.utf8.count ?? 0) <= 3 * input.count)
      }
    }

    let cut = input.reduce(0) { $0 &* 31 &+ Int($1) }.magnitude % UInt(input.count + 1)
    var part: [WitnessRecord] = []
    WitnessRecord.forEach(in: unsafe input.span.bytes.extracting(0..<Int(cut)), malformed: &malformed) {
      part.append($0)
    }
    try law("a prefix tells a prefix", records.starts(with: part))
    try sums(records)
  }

  /// Whatever the records say: what is reported of a slot is what it holds.
  private static func sums(_ records: [WitnessRecord]) throws(Violation) {
    let slotCount = 8
    let now = Instant.now
    var ledger = WitnessLedger(tier: .calls, slotCount: slotCount, at: now)
    var held: [Int: WitnessSlot] = [:]
    for record in records {
      ledger.take(record, at: now)
      guard case .firstUse(let slot, let user, let socket, _) = record, slot < slotCount else { continue }
      held[Int(slot)] = WitnessSlot(
        socket: socket.key, process: UInt32(user.pid), start: user.start, claims: 1, sent: 3, received: 5)
    }
    try law("a slot is one use", ledger.count == held.count)
    for round in 0..<2 {
      let slots = ledger.settle(at: now) { held[$0] ?? WitnessSlot() }
      var sum = Usage.zero
      ledger.tell { sum += $0.usage }
      try law("everything is reported once", sum.sent == (round == 0 ? 3 * UInt64(held.count) : 0))
      try law("nothing has rested", slots == WitnessLedger.Slots())
    }
    let later = now + .seconds(3600)
    _ = ledger.settle(at: later) { held[$0] ?? WitnessSlot() }
    try law("no names but of those who live", ledger.count <= slotCount)
  }

  /// The ring's memory, which another may have written: two bytes of where it is read from, two of how much was
  /// written, then its contents.
  static func ring(_ input: [UInt8]) throws(Violation) {
    guard input.count > 4 else { return }
    let words = (0..<2).map { UInt(input[2 * $0]) | UInt(input[2 * $0 + 1]) << 8 }
    let ring = WitnessRing(size: 1024, at: words[0] / 8 * 8)
    for (place, byte) in input.dropFirst(4).prefix(ring.size).enumerated() { ring.put(byte, at: UInt(place)) }
    let start = ring.consumed
    ring.produced = start + words[1] / 8 * 8
    var malformed: UInt64 = 0
    for _ in 0...words[1] / 8 {
      let before = ring.consumed
      guard let bytes = ring.read(room: cbpf_longest_record()) else {
        throw Violation(description: "a buffer for one record is enough")
      }
      try law("it reads no more than was written", ring.consumed - start <= ring.produced - start)
      WitnessRecord.forEach(in: unsafe bytes.span.bytes, malformed: &malformed) { _ in }
      // It waits for a record, or all was read.
      if ring.consumed == before { return }
    }
    try law("each reading gets on", ring.consumed == ring.produced)
  }
}
