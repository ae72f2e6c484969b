import SystemPackage

/// Reads a file line by line through one buffer; a line longer than the buffer arrives in pieces.
struct LineReader {
  /// The longest line that arrives whole, in bytes. Lines of /proc/net are shorter than 600.
  static let capacity = 65536

  private var buffer = [UInt8](repeating: 0, count: capacity)

  /// Calls `body` with each line of the file at `path`, without its line feed.
  mutating func forEachLine(of path: String, _ body: (ArraySlice<UInt8>) -> Void) throws(KernelError) {
    let file: FileDescriptor
    do { file = try FileDescriptor.open(FilePath(path), .readOnly, options: .closeOnExec) } catch {
      throw Self.error(path, error)
    }
    defer { try? file.close() }
    var filled = 0
    while true {
      let count: Int
      do {
        // In bounds: the rest of the array behind what is filled.
        count = try unsafe buffer.withUnsafeMutableBytes {
          try unsafe file.read(into: UnsafeMutableRawBufferPointer(rebasing: $0[filled...]))
        }
      } catch { throw Self.error(path, error) }
      filled += count
      var start = 0
      while let end = buffer[start..<filled].firstIndex(of: UInt8(ascii: "\n")) {
        body(buffer[start..<end])
        start = end + 1
      }
      if count == 0 || (start == 0 && filled == Self.capacity) {
        if start < filled { body(buffer[start..<filled]) }
        if count == 0 { return }
        start = filled
      }
      buffer.replaceSubrange(0..<filled - start, with: buffer[start..<filled])
      filled -= start
    }
  }

  private static func error(_ path: String, _ error: any Error) -> KernelError {
    switch error as? Errno ?? .ioError {
    case .permissionDenied, .notPermitted: .notPermitted("reading \(path)")
    case .noSuchFileOrDirectory: .unsupported(path)
    case let errno: .failed("reading \(path)", errno)
    }
  }
}
