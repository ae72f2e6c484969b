import Glibc

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

  init?(number: Int32) {
    switch number {
    case SIGINT: self = .interrupt
    case SIGTERM: self = .terminate
    case SIGHUP: self = .hangup
    case SIGWINCH: self = .resize
    default: return nil
    }
  }

  /// Blocks these signals, and SIGPIPE, in this thread and those that it starts, so that they wait to be
  /// read. Call it before any other thread exists. A write to a closed pipe then fails with EPIPE.
  public static func block() {
    var set = handled()
    // In bounds: the set is ours, the old one is not asked for.
    unsafe sigaddset(&set, SIGPIPE)
    unsafe pthread_sigmask(SIG_BLOCK, &set, nil)
  }

  static func handled() -> sigset_t {
    var set = sigset_t()
    unsafe sigemptyset(&set)
    for number in [SIGINT, SIGTERM, SIGHUP, SIGWINCH] { unsafe sigaddset(&set, number) }
    return set
  }
}
