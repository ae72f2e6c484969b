import Model
import CLinux
import Glibc
import SystemPackage

/// A process that this one started, known by its pid until it was waited for.
public struct ChildProgram: Sendable {
  /// Its number.
  public let pid: Int32

  /// How a process ended.
  public enum Ending: Sendable, Hashable, CustomStringConvertible {
    /// By itself, with this status.
    case exited(Int32)
    /// By a signal.
    case signal(Int32)

    init(status: CInt) {
      // As wait(2)'s macros, which Swift does not see.
      let signal = status & 0x7f
      self = signal == 0 ? .exited(status >> 8 & 0xff) : .signal(signal)
    }

    /// `exit status 1`, `signal 9`.
    public var description: String {
      switch self {
      case .exited(let status): "exit status \(status)"
      case .signal(let signal): "signal \(signal)"
      }
    }
  }

  /// Runs the program at `path` with `arguments`, the first of which is its name. Its standard input is `input`, its
  /// standard output /dev/null, its standard error ours. Signals of the keyboard do not reach it. Errors: `failed`.
  public init(_ path: String, _ arguments: [String], input: borrowing LocalSocket) throws(KernelError) {
    var words: [UnsafeMutablePointer<CChar>?] = unsafe arguments.map { unsafe strdup($0) } + [nil]
    defer { unsafe words.forEach { unsafe free($0) } }
    // In bounds: a list of C strings that ends with nil, ours for the length of the call.
    pid = unsafe clinux_run_child(path, &words, input.descriptor.number)
    guard pid > 0 else { throw .failed("running \(path)", .last) }
  }

  /// Divides this process in two, as fork(2): the new one runs `body` on a thread that is new as well, without `socket`, which
  /// stays this one's. Only for a process with one thread. Returns the new one; nil where there is no room for processes or
  /// memory.
  public static func fork(
    without socket: borrowing LocalSocket, _ body: @escaping () -> Never
  ) -> ChildProgram? {
    let number = socket.descriptor.number
    let work = Work {
      close(number)
      body()
    }
    // The child has a copy of it; ours lives until the call returns.
    let pid = unsafe clinux_fork(runChild, Unmanaged.passUnretained(work).toOpaque())
    return withExtendedLifetime(work) { pid > 0 ? ChildProgram(pid: pid) : nil }
  }

  fileprivate final class Work {
    let body: () -> Never

    init(_ body: @escaping () -> Never) { self.body = body }
  }

  private init(pid: Int32) { self.pid = pid }

  /// Has it go on if it is stopped.
  public func goOn() { if isOurs { kill(pid, SIGCONT) } }

  /// Whether the number is this child's still: once it was waited for, another process may have it.
  private var isOurs: Bool {
    var information = unsafe siginfo_t()
    // The kernel fills the variable it is given; what has ended stays to be waited for.
    return unsafe waitid(P_PID, id_t(pid), &information, WEXITED | WNOHANG | WNOWAIT) == 0
  }

  /// Waits for its end, but not longer than `limit`; nil if it has not ended, or there is no such child any more.
  @discardableResult public func wait(atMost limit: Duration) -> Ending? {
    let deadline = Instant.now + limit
    while true {
      var status: CInt = 0
      let result = unsafe waitpid(pid, &status, WNOHANG)
      if result == pid { return Ending(status: status) }
      let remaining = deadline - .now
      if result < 0 && errno != EINTR || remaining <= .zero { return nil }
      clinux_await_end(pid, remaining.inMillisecondsRoundedUp)
    }
  }

  /// Ends it, whatever it does, and waits for that; nil if it was waited for before.
  @discardableResult public func endAndWait() -> Ending? {
    guard isOurs else { return nil }
    kill(pid, SIGKILL)
    var status: CInt = 0
    while unsafe waitpid(pid, &status, 0) != pid { if errno != EINTR { return nil } }
    return Ending(status: status)
  }

  /// The pid of this process among those that are mounted at `proc`; nil where it is not one of them.
  public static func ownPid(in proc: String = "/proc") -> Int32? {
    var text = [UInt8](repeating: 0, count: 16)
    do throws(Errno) {
      let count = try OpenFile(proc, isFolder: true).readLink("self", into: &text)
      return Int32(String(decoding: text[..<count], as: UTF8.self))
    } catch { return nil }
  }

  /// From now on SIGINT, SIGTERM, SIGHUP and SIGPIPE do nothing to this process: whoever started it ends it.
  public static func ignoreSignals() { clinux_ignore_ends() }
}

/// A global function, as C calls it.
private func runChild(_ argument: UnsafeMutableRawPointer?) {
  guard let argument = unsafe argument else { return }
  unsafe Unmanaged<ChildProgram.Work>.fromOpaque(argument).takeUnretainedValue().body()
}
