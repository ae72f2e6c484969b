import CBPF
import Glibc
import SystemPackage

/// A BPF program of ours at work in the kernel; taken out when its owner goes, and by the kernel at any end of the process.
///
/// Once it is loaded nothing that is done with it needs a capability, nor bpf(2): the table and the ring are mapped.
@safe package struct WitnessProgram: ~Copyable {
  /// Where loading failed.
  enum Stage: CInt, Sendable {
    case opening = 1
    case loading, attaching, mapping
  }

  /// What is at work.
  package let tier: WitnessTier
  /// Its slots.
  package let table: WitnessTable

  private var handle: OpaquePointer { unsafe table.handle }
  private var buffer: [UInt8]

  /// Loads and attaches the programs of `tier`. Without `hasCookies` it does as a kernel would that gives programs no
  /// cookies of sockets (before Linux 5.12). Takes a tenth of a second, and CAP_BPF and CAP_PERFMON or CAP_SYS_ADMIN.
  package init(
    _ tier: WitnessTier, room: WitnessRoom = WitnessRoom(), hasCookies: Bool = KernelRelease.givesCookies
  ) throws(WitnessError) {
    var options = cbpf_options(
      tier: tier.rawValue, has_cookies: hasCookies ? 1 : 0, slots: room.slots,
      first_slots: room.firstSlots, ring_bytes: room.ringBytes, wake_bytes: room.wakeBytes)
    let failure = UnsafeMutablePointer<cbpf_failure>.allocate(capacity: 1)
    defer { unsafe failure.deallocate() }
    // In bounds: both structures are whole, and the second is filled before it is read.
    guard let handle = unsafe cbpf_open(&options, failure), let slots = unsafe cbpf_slots(handle) else {
      throw unsafe Self.cause(tier, failure.pointee)
    }
    table = unsafe WitnessTable(
      owning: handle, slots, count: Int(cbpf_slot_count(handle)), mapped: Int(room.firstSlots))
    self.tier = tier
    buffer = [UInt8](repeating: 0, count: 1 << 16)
  }

  private static func cause(_ tier: WitnessTier, _ failure: cbpf_failure) -> WitnessError {
    // In bounds: the log ends with a NUL.
    let log = unsafe withUnsafeBytes(of: failure.log) { log in
      String(decoding: unsafe log.prefix { $0 != 0 }.map { $0 }, as: UTF8.self)
    }
    return WitnessFacts.read().cause(
      of: tier, Stage(rawValue: failure.stage) ?? .opening, Errno(rawValue: failure.error), log: log)
  }

  /// False once it is gone from the kernel, or does not report all that it did: something closed its descriptors.
  package var isAtWork: Bool { unsafe cbpf_at_work(handle) == 1 }

  /// Takes it out of the kernel; what it has reported can still be read.
  package func detach() { unsafe cbpf_detach(handle) }

  /// Returns once each run of a program that had begun has ended; false where the kernel cannot say.
  package static func waitForAll() -> Bool { cbpf_wait_for_programs() == 0 }

  /// Readable for poll(2) while much waits; what is less is read when its reader comes by.
  package var descriptor: CInt { unsafe cbpf_descriptor(handle) }

  /// What there was no room for since the program began.
  package var losses: WitnessLosses {
    let losses = unsafe cbpf_losses(handle)
    return WitnessLosses(
      unplaced: losses.unplaced, unplacedSent: losses.unplaced_sent,
      unplacedReceived: losses.unplaced_received,
      ringFull: losses.ring_full, unreported: losses.unreported)
  }

  /// Takes the records that wait and gives them to `body`, in the order in which they were written.
  package mutating func read(malformed: inout UInt64, _ body: (WitnessRecord) -> Void) {
    while true {
      // In bounds: the buffer's own pointer and count.
      let handle = unsafe handle
      let count = unsafe buffer.withUnsafeMutableBytes { unsafe cbpf_read(handle, $0.baseAddress, $0.count) }
      guard count > 0 else { return }
      WitnessRecord.forEach(in: unsafe buffer.span.bytes.extracting(0..<count), malformed: &malformed, body)
    }
  }
}

extension KernelRelease {
  /// Whether the running kernel gives the cookies of sockets to programs like ours.
  package static var givesCookies: Bool { running.map { $0 >= KernelRelease(major: 5, minor: 12) } ?? false }
}
