import Glibc

/// Symbolic links, as /proc uses them to name files.
enum SymbolicLink {
  /// What the link at `path` points to; nil when it cannot be read. Bytes that are not UTF-8 are replaced.
  static func target(of path: String) -> String? {
    // The kernel's links are at most PATH_MAX bytes long.
    var bytes = [UInt8](repeating: 0, count: Int(PATH_MAX))
    // In bounds: the pointer and count are the array's own.
    let count = unsafe bytes.withUnsafeMutableBytes { buffer in
      guard let start = buffer.baseAddress else { return -1 }
      return unsafe readlink(path, start.assumingMemoryBound(to: CChar.self), buffer.count)
    }
    return count > 0 ? String(decoding: bytes[..<count], as: UTF8.self) : nil
  }
}
