import Model
import CLinux
import Glibc
import SystemPackage

/// What became of a text that was to be written.
public enum WriteOutcome: Sendable, Hashable {
  /// All of it was written.
  case written
  /// The reader is slow: some of it waits.
  case waiting
  /// Nobody reads any more: end quietly.
  case closed
}

/// Text on its way to standard output, which may be slow: a measuring loop never waits for a reader.
public struct OutputQueue {
  /// The most that waits; a text that does not fit is left out whole.
  public static let capacity = 4 << 20
  /// What a pipe takes at once when poll(2) calls it writable (PIPE_BUF of pipe(7)).
  static let chunk = 4096

  private var waiting: ArraySlice<UInt8> = []
  /// Texts that were left out because what waits had no room for them, since start.
  public private(set) var skipped: UInt64 = 0

  private let descriptor: CInt

  /// Makes an empty queue.
  public init() { self.init(to: STDOUT_FILENO) }

  /// Makes one to another descriptor, which stays its owner's.
  init(to descriptor: CInt) { self.descriptor = descriptor }

  /// Adds `text` and writes what the reader takes now.
  public mutating func write(_ text: consuming [UInt8]) throws(KernelError) -> WriteOutcome {
    add(text)
    return try flush()
  }

  /// Adds `text`, which `flush` writes.
  public mutating func add(_ text: consuming [UInt8]) {
    if waiting.isEmpty {
      waiting = text[...]
    } else if waiting.count + text.count <= Self.capacity {
      waiting += text
    } else {
      skipped += 1
    }
  }

  /// Writes what the reader takes now of what waits.
  public mutating func flush() throws(KernelError) -> WriteOutcome {
    while !waiting.isEmpty {
      // In bounds: the pointer and count are the slice's own.
      var count = unsafe waiting.withUnsafeBytes {
        unsafe clinux_write_now(descriptor, $0.baseAddress, $0.count)
      }
      // A file may be busy for another reason than a slow reader, and then always counts as writable.
      if count < 0, errno == EAGAIN || errno == EOPNOTSUPP || errno == ENOSYS {
        guard StandardOutput.isWritable(descriptor) else { return .waiting }
        // In bounds: the pointer and count are the slice's own.
        count = unsafe waiting.prefix(Self.chunk).withUnsafeBytes {
          unsafe Glibc.write(descriptor, $0.baseAddress, $0.count)
        }
      }
      if count >= 0 {
        waiting = waiting.dropFirst(count)
        continue
      }
      let code = errno
      switch code {
      case EINTR: continue
      case EAGAIN: return .waiting
      case EPIPE, EBADF: return .closed
      // Of a terminal that was hung up, for which isatty(3) fails; of a regular file it is a failing disk.
      case EIO where isCharacterDevice: return .closed
      default: throw .failed("writing to standard output", Errno(rawValue: code))
      }
    }
    // A slice keeps what it is a part of.
    waiting = []
    return .written
  }

  private var isCharacterDevice: Bool {
    var status = stat()
    // The kernel fills the variable it is given.
    return unsafe fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFCHR
  }

  /// Writes what waits, for at most `limit`; what is left then is lost.
  public mutating func finish(within limit: Duration) throws(KernelError) {
    let end = Instant.now + limit
    while try flush() == .waiting, Instant.now < end {
      StandardOutput.waitUntilWritable(atMost: .milliseconds(50), descriptor)
    }
  }
}
