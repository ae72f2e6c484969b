import SystemPackage

/// A file read as a whole, for configurations.
public enum WholeFile {
  /// Returns the bytes of the file at `path`, at most `limit` of them and one more, by which a longer file
  /// can be told.
  public static func read(_ path: String, limit: Int) throws(KernelError) -> [UInt8] {
    do {
      let file = try FileDescriptor.open(FilePath(path), .readOnly, options: .closeOnExec)
      return try file.closeAfter {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while bytes.count <= limit {
          // In bounds: the buffer is the array's own.
          let count = try unsafe buffer.withUnsafeMutableBytes { try unsafe file.read(into: $0) }
          if count == 0 { break }
          bytes += buffer[..<count]
        }
        return bytes
      }
    } catch {
      throw .unreadable(path: path, error as? Errno ?? .ioError)
    }
  }
}
