import SystemPackage

/// Reads a file line by line through one buffer that is used again.
package struct LineReader {
  private var buffer: [UInt8]

  /// Reads lines shorter than `byteCount` bytes.
  ///
  /// The kernel writes these files page by page; a longer buffer saves no calls.
  package init(byteCount: Int = 16384) { buffer = [UInt8](repeating: 0, count: byteCount) }

  /// Calls `body` with each line, without its end; returns how many lines did not fit in the buffer with
  /// their end and were passed over.
  package mutating func forEachLine(
    of file: borrowing OpenFile, _ body: (Span<UInt8>) -> Void
  ) throws(Errno) -> UInt64 {
    var filled = 0
    var tooLong: UInt64 = 0
    var isSkipping = false
    while true {
      let count = try file.read(into: &buffer, from: filled)
      if count == 0 { break }
      filled += count
      var start = 0
      while let end = buffer[start..<filled].firstIndex(of: 0x0a) {
        if isSkipping { isSkipping = false } else { body(buffer.span.extracting(start..<end)) }
        start = end + 1
      }
      if start == 0, filled == buffer.count {
        if !isSkipping { tooLong += 1 }
        isSkipping = true
        filled = 0
      } else {
        filled -= start
        for index in 0..<filled { buffer[index] = buffer[start + index] }
      }
    }
    if filled > 0, !isSkipping { body(buffer.span.extracting(0..<filled)) }
    return tooLong
  }
}
