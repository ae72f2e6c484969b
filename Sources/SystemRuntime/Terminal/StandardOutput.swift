import CLinux
import Glibc
import Synchronization
import SystemPackage

/// Standard output, and the terminal that it may be.
public enum StandardOutput {
  /// True when it is a terminal (isatty(3)).
  public static var isTerminal: Bool { isatty(STDOUT_FILENO) == 1 }

  /// False when it was closed before the program started, which is seen as one that can only be read.
  public static var isOpen: Bool { fcntl(STDOUT_FILENO, F_GETFL) & O_ACCMODE != O_RDONLY }

  /// Writes `text` and a newline, however slow the reader is; nothing where nobody reads.
  public static func printLine(_ text: String) throws(KernelError) { _ = try print(Array("\(text)\n".utf8)) }

  /// Writes all of `text`, however slow the reader is; false where nobody reads.
  public static func print(_ text: consuming [UInt8]) throws(KernelError) -> Bool {
    _ = clinux_ignore_broken_pipes()
    var queue = OutputQueue()
    var outcome = try queue.write(text)
    while outcome == .waiting {
      waitUntilWritable(atMost: .seconds(1))
      outcome = try queue.flush()
    }
    return outcome == .written
  }

  /// Columns and rows of the terminal; nil when it is none, or does not say.
  public static func terminalSize() -> (columns: Int, rows: Int)? {
    var size = winsize()
    guard unsafe ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0 else {
      return nil
    }
    return (Int(size.ws_col), Int(size.ws_row))
  }

  /// True when a write of `OutputQueue.chunk` bytes would not have to wait.
  static func isWritable(_ descriptor: CInt) -> Bool {
    var event = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
    // In bounds: one structure.
    return unsafe poll(&event, 1, 0) > 0
  }

  /// Waits until a write would not have to, or `limit` has passed.
  static func waitUntilWritable(atMost limit: Duration, _ descriptor: CInt = STDOUT_FILENO) {
    var event = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
    // In bounds: one structure.
    _ = unsafe poll(&event, 1, limit.inMillisecondsRoundedUp)
  }
}

/// Standard error: what its reader has no room for is lost, and said as soon as it reads again.
public enum StandardError {
  private static let messages = Mutex(MessageQueue(to: STDERR_FILENO))
  private static let latest = Mutex<[String]>([])
  private static let latestLimit = 4
  private static let diverted = Mutex<[String]?>(nil)
  private static let divertedLimit = 256

  /// The last few texts that were written, for a table that is painted over them.
  public static var recent: [String] { latest.withLock { $0 } }

  /// True when it is a terminal (isatty(3)).
  public static var isTerminal: Bool { isatty(STDERR_FILENO) == 1 }

  /// From now on what is written waits for `takeDiverted`: another process will write it.
  public static func divert() { diverted.withLock { $0 = $0 ?? [] } }

  /// What was written since the last call; the first few hundred texts at most, and whether there
  /// were more.
  public static func takeDiverted() -> [String] {
    diverted.withLock { texts in
      defer { if texts != nil { texts = [] } }
      return texts ?? []
    }
  }

  private static func isDiverted(_ text: String) -> Bool {
    diverted.withLock {
      if $0 == nil { return false }
      $0?.append(text)
      if $0?.count ?? 0 > divertedLimit + 1 { $0?[divertedLimit] = "some messages had no room here\n" }
      if $0?.count ?? 0 > divertedLimit + 1 { $0?.removeLast() }
      return true
    }
  }

  /// Writes `text`, or loses and counts it while its reader does not read; waits for nobody.
  public static func write(_ text: String) {
    if isDiverted(text) { return }
    latest.withLock {
      $0.append(text)
      if $0.count > latestLimit { $0.removeFirst() }
    }
    messages.withLock { $0.write(text) }
  }
}

/// Messages on their way to a reader that may not read: one waits, the rest of what was begun, and those after it are lost.
struct MessageQueue {
  private var queue: OutputQueue
  /// How many messages were lost and are not said yet.
  private var lost = 0

  init(to descriptor: CInt) { queue = OutputQueue(to: descriptor) }

  mutating func write(_ text: String) {
    // Where nobody reads any more there is nobody to tell either.
    guard case .written? = try? queue.flush() else { return lost += 1 }
    let gap =
      lost == 0
      ? "" : "(\(lost) message\(lost == 1 ? "" : "s") lost here: standard error was not read in time)\n"
    lost = 0
    _ = try? queue.write(Array((gap + text).utf8))
  }
}
