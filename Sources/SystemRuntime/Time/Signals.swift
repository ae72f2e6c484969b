import CLinux
import Glibc
import SystemPackage

/// The signals that a program handles in its loop.
public enum ProgramSignal: Sendable, Hashable {
  /// Stop, from the keyboard (SIGINT).
  case interrupt
  /// Stop (SIGTERM).
  case terminate
  /// Read the configuration again (SIGHUP).
  case hangup
  /// The terminal has another size (SIGWINCH).
  case resize

  init?(number: UInt8) {
    switch Int32(number) {
    case SIGINT: self = .interrupt
    case SIGTERM: self = .terminate
    case SIGHUP: self = .hangup
    case SIGWINCH: self = .resize
    default: return nil
    }
  }
}

/// Turns signals into bytes of a pipe.
///
/// Not a signal descriptor: that needs every thread to block the signals, and libdispatch's and
/// swift-subprocess's threads do not.
public struct SignalPipe: ~Copyable {
  private let reading: CInt
  private let writing: CInt

  /// From here on signals write to this pipe, and a write to a closed pipe fails with EPIPE.
  public init() throws(KernelError) {
    var ends: [CInt] = [-1, -1]
    // In bounds: the array holds the two descriptors that the call makes.
    guard unsafe clinux_pipe(&ends) == 0, clinux_catch_signals(ends[1]) == 0 else {
      throw .failed("catching signals", Errno(rawValue: errno))
    }
    reading = ends[0]
    writing = ends[1]
  }

  deinit {
    // Signals that come later have no loop to end.
    clinux_catch_signals(-1)
    close(writing)
    close(reading)
  }

  /// The descriptor that is readable when a signal has come.
  package var descriptor: CInt { reading }

  /// The next signal; nil when there is none.
  public func next() -> ProgramSignal? {
    var byte: UInt8 = 0
    return unsafe read(reading, &byte, 1) == 1 ? ProgramSignal(number: byte) : nil
  }
}
