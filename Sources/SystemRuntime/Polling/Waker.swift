import CLinux
import Glibc
import SystemPackage

/// Wakes a thread that waits in a poller, from any other (eventfd(2)).
public final class Waker: Sendable {
  private let file: Descriptor

  /// Makes one that was not used yet.
  public init() throws(KernelError) {
    let number = eventfd(0, CInt(EFD_CLOEXEC) | CInt(EFD_NONBLOCK))
    guard number >= 0 else { throw .failed("making an event descriptor", .last) }
    file = Descriptor(owning: number)
  }

  /// The descriptor, for waiting; it stays this waker's.
  package var descriptor: CInt { file.number }

  /// Wakes the thread; several calls before it wakes are one.
  public func wake() {
    var one: UInt64 = 1
    // In bounds: the kernel reads one number.
    _ = unsafe write(descriptor, &one, MemoryLayout<UInt64>.size)
  }

  /// Forgets all calls until now.
  public func reset() {
    var count: UInt64 = 0
    // In bounds: the kernel writes one number.
    _ = unsafe read(descriptor, &count, MemoryLayout<UInt64>.size)
  }

  /// Waits until somebody wakes, and forgets that; no longer than `timeout`, where there is one.
  public func wait(timeout: Duration? = nil) {
    var event = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    // In bounds: one structure.
    _ = unsafe poll(&event, 1, timeout?.inMillisecondsRoundedUp ?? -1)
    reset()
  }
}

/// Waits for descriptors to become readable (poll(2)). For the few of a thread; `Poller` is for many.
package enum Readable {
  /// Which of `descriptors` are readable, or have an error, within `timeout` milliseconds; -1 waits for ever. A negative
  /// descriptor is passed over. A signal ends the wait with none. Errors: those of poll(2), and EBADF for one that is closed.
  package static func wait(for descriptors: [CInt], timeout: CInt) throws(Errno) -> [Bool] {
    var waits = descriptors.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
    // In bounds: the array and its count.
    let count = unsafe poll(&waits, nfds_t(waits.count), timeout)
    guard count >= 0 || errno == EINTR else { throw .last }
    // Whoever waits for it would never wait again.
    if count > 0, waits.contains(where: { $0.revents & Int16(POLLNVAL) != 0 }) { throw .badFileDescriptor }
    return waits.map { $0.revents != 0 }
  }

  /// Whether a descriptor is readable now; true too where that cannot be known.
  package static func isNow(_ descriptor: CInt) -> Bool {
    var wait = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    // In bounds: one structure.
    return unsafe poll(&wait, 1, 0) != 0
  }
}
