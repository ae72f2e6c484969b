import CLinux
import Glibc
import SystemPackage

/// Wakes a loop at a fixed interval, for a signal, and when nobody reads the output any more.
///
/// Ticks do not drift, however long the work between them takes; those that were missed are one wake.
public struct Ticker: ~Copyable {
  /// Why the loop woke.
  public enum Wake: Sendable, Hashable {
    /// The interval has passed.
    case tick
    /// A signal came.
    case signal(ProgramSignal)
    /// The reader of standard output has gone.
    case outputClosed
    /// Standard output takes more.
    case outputWritable
  }

  private let timer: CInt
  private let signals: SignalPipe

  /// Starts ticking: the first tick comes after one `interval`, which must be positive.
  ///
  /// The clock does not stop during suspend (CLOCK_BOOTTIME), like the one that intervals are measured by.
  /// From here on SIGINT, SIGTERM, SIGHUP and SIGWINCH only wake the loop.
  public init(interval: Duration) throws(KernelError) {
    let signals = try SignalPipe()
    let timer = timerfd_create(CLOCK_BOOTTIME, CInt(TFD_CLOEXEC) | CInt(TFD_NONBLOCK))
    guard timer >= 0 else { throw .failed("starting a timer", Errno(rawValue: errno)) }
    do throws(KernelError) { try Self.set(timer, to: interval) } catch {
      close(timer)
      throw error
    }
    self.timer = timer
    self.signals = signals
  }

  /// Ticks at another interval from now on.
  public func restart(interval: Duration) throws(KernelError) { try Self.set(timer, to: interval) }

  private static func set(_ timer: CInt, to interval: Duration) throws(KernelError) {
    var period = itimerspec(it_interval: timespec(interval), it_value: timespec(interval))
    guard unsafe timerfd_settime(timer, 0, &period, nil) == 0 else {
      throw .failed("starting a timer", Errno(rawValue: errno))
    }
  }

  deinit { close(timer) }

  /// Waits, and returns why it woke; a signal before a tick. `isOutputWaiting` says that something is left to be
  /// written. Without `heedsOutput` it sleeps on when the reader has gone, which otherwise wakes it each time.
  public func wait(isOutputWaiting: Bool = false, heedsOutput: Bool = true) throws(KernelError) -> Wake {
    while true {
      var events = [
        pollfd(fd: signals.descriptor, events: Int16(POLLIN), revents: 0),
        pollfd(fd: timer, events: Int16(POLLIN), revents: 0),
        // That the reader is gone comes by itself: POLLERR of a pipe, POLLHUP of a socket.
        // -1 is left out (poll(2)).
        pollfd(
          fd: heedsOutput ? STDOUT_FILENO : -1, events: isOutputWaiting ? Int16(POLLOUT) : 0, revents: 0),
      ]
      if unsafe poll(&events, nfds_t(events.count), -1) < 0 {
        if errno == EINTR { continue }
        throw .failed("waiting", Errno(rawValue: errno))
      }
      if events[0].revents != 0, let signal = signals.next() { return .signal(signal) }
      if events[2].revents & Int16(POLLERR | POLLHUP | POLLNVAL) != 0 { return .outputClosed }
      if events[1].revents != 0, readTicks() > 0 { return .tick }
      if events[2].revents & Int16(POLLOUT) != 0 { return .outputWritable }
    }
  }

  private func readTicks() -> UInt64 {
    var count: UInt64 = 0
    let size = MemoryLayout<UInt64>.size
    return unsafe read(timer, &count, size) == size ? count : 0
  }
}

extension timespec {
  fileprivate init(_ duration: Duration) {
    let (seconds, attoseconds) = duration.components
    self.init(tv_sec: Int(seconds), tv_nsec: Int(attoseconds / 1_000_000_000))
  }
}
