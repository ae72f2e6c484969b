import Glibc
import SystemRuntime

/// What the messages of a dump's answer have reported so far (netlink(7), NLM_F_DUMP).
struct DumpAnswer {
  /// The number of the question; messages with another answer an older one.
  let sequence: UInt32
  /// True when the last message came.
  private(set) var isDone = false
  /// True when the kernel changed what was dumped meanwhile (NLM_F_DUMP_INTR), or dropped a part of it.
  private(set) var isInterrupted = false
  /// Why the kernel gave up; nil while it did not.
  private(set) var failure: CInt?

  init(sequence: UInt32) { self.sequence = sequence }

  /// Takes a message; returns whether it is a part of what was asked for.
  mutating func take(_ header: NetlinkHeader, _ payload: borrowing RawSpan) -> Bool {
    guard header.sequence == sequence else { return false }
    if header.flags & NetlinkHeader.Flag.interrupted != 0 { isInterrupted = true }
    switch header.type {
    case NetlinkHeader.Control.done:
      isDone = true
      // A dump that ends early says so in the number that DONE carries.
      if let code = payload.load(0, as: Int32.self), code < 0 { failure = Self.failure(payload) }
    case NetlinkHeader.Control.error:
      isDone = true
      failure = Self.failure(payload)
    case NetlinkHeader.Control.noop: break
    case NetlinkHeader.Control.overrun: isInterrupted = true
    default: return true
    }
    return false
  }

  /// The error number in the payload of NLMSG_ERROR, 0 for success; EBADMSG where it is none. The kernel writes it
  /// as a negative one.
  static func failure(_ payload: borrowing RawSpan) -> CInt {
    guard let code = payload.load(0, as: Int32.self), (-CInt.max...0).contains(code) else { return EBADMSG }
    return -code
  }
}

/// Repeats a dump as long as the kernel marks it as inconsistent.
enum ConsistentDump {
  /// What is this busy is not going to be quiet at the sixth attempt.
  static let attempts = 5

  /// Calls `dump`, which starts afresh and returns whether it was interrupted, until one was not; counts the others.
  ///
  /// Errors: those of `dump`, and `neverConsistent` when no attempt was whole.
  static func read(
    interrupted: inout UInt64, _ dump: () throws(KernelError) -> Bool
  ) throws(KernelError) {
    for _ in 0..<attempts {
      if try !dump() { return }
      interrupted += 1
    }
    throw .neverConsistent(attempts: attempts)
  }
}
