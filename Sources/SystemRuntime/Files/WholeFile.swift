import Glibc
import SystemPackage

/// A file read as a whole, for configurations.
public enum WholeFile {
  /// Returns the bytes of the file at `path`, at most `limit` of them and one more, by which a longer file
  /// can be recognized.
  public static func read(_ path: String, limit: Int) throws(KernelError) -> [UInt8] {
    try read(path, limit: limit, patience: .seconds(5))
  }

  /// The same; the writer of a pipe may take as long as `patience` until it says more.
  package static func read(_ path: String, limit: Int, patience: Duration) throws(KernelError) -> [UInt8] {
    do throws(Errno) { return try read(OpenFile(path), limit: limit, patience) } catch {
      throw .unreadable(path: path, error)
    }
  }

  /// The same of standard input; who types may take as long as `patience` until the next line.
  package static func readStandardInput(limit: Int, patience: Duration) throws(KernelError) -> [UInt8] {
    do throws(Errno) { return try read(OpenFile(standardInput: ()), limit: limit, patience) } catch {
      throw .unreadable(path: "/dev/stdin", error)
    }
  }

  private static func read(
    _ file: consuming OpenFile, limit: Int, _ patience: Duration
  ) throws(Errno) -> [UInt8] {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65536)
    while bytes.count <= limit {
      let count = try next(of: file, into: &buffer, patience)
      if count == 0 { break }
      bytes += buffer[..<count]
    }
    return bytes
  }

  /// What comes next; a pipe is waited for.
  private static func next(
    of file: borrowing OpenFile, into buffer: inout [UInt8], _ patience: Duration
  ) throws(Errno) -> Int {
    do throws(Errno) { return try file.read(into: &buffer) } catch {
      guard error == .resourceTemporarilyUnavailable else { throw error }
    }
    var wait = pollfd(fd: file.descriptor, events: Int16(POLLIN), revents: 0)
    // In bounds: one structure.
    _ = unsafe poll(&wait, 1, patience.inMillisecondsRoundedUp)
    return try file.read(into: &buffer)
  }
}
