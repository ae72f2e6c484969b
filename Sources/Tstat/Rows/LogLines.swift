import SystemPackage
import SystemRuntime

/// The lines of a log, plain or compressed, through one buffer: a file of any size takes the same memory.
struct LogLines: ~Copyable {
  /// A line.
  enum Line {
    /// Its bytes in `buffer`, without its end; the last one may have none.
    case text(Range<Int>)
    /// It is longer than the buffer, and passed over.
    case tooLong
  }

  /// What holds the line that was read last.
  private(set) var buffer: [UInt8]
  /// The number of the line that was read last; the first is 1.
  private(set) var number = 0
  /// How many bytes were read, decompressed.
  private(set) var byteCount: Int64 = 0

  /// Why what is read of a compressed file is not all of it.
  private(set) var damage: String?

  // One of the two.
  private var plain: OpenFile?
  private var compressed: GzipFile?
  private var next = 0
  private var filled = 0
  private var isAtEnd = false

  /// Reads the file from its beginning; lines shorter than `longest` bytes.
  init(_ file: consuming OpenFile, isCompressed: Bool, longest: Int = 256 << 10) throws(Errno) {
    buffer = [UInt8](repeating: 0, count: longest)
    if isCompressed { compressed = try GzipFile(file) } else { plain = consume file }
  }

  /// The next line; nil at the end.
  mutating func read() throws(Errno) -> Line? {
    var searched = next
    var isTooLong = false
    while true {
      if let end = endOfLine(from: searched) {
        defer { next = end + 1 }
        number += 1
        return isTooLong ? .tooLong : .text(next..<end)
      }
      if isAtEnd {
        defer { next = filled }
        guard next < filled || isTooLong else { return nil }
        number += 1
        return isTooLong ? .tooLong : .text(next..<filled)
      }
      makeRoom(&isTooLong)
      searched = filled
      try fill()
    }
  }

  private func endOfLine(from start: Int) -> Int? {
    let bytes = buffer.span
    var index = start
    while index < filled {
      if bytes[index] == 0x0a { return index }
      index += 1
    }
    return nil
  }

  /// Moves the begin of a line to the begin of the buffer; one that fills it is dropped as it comes.
  private mutating func makeRoom(_ isTooLong: inout Bool) {
    if next > 0 {
      for index in next..<filled { buffer[index - next] = buffer[index] }
      filled -= next
      next = 0
    }
    if filled == buffer.count { isTooLong = true }
    if isTooLong { filled = 0 }
  }

  private mutating func fill() throws(Errno) {
    let count: Int
    if var file = compressed.take() {
      count = try file.read(into: &buffer, from: filled)
      damage = file.damage
      compressed = consume file
    } else if let file = plain.take() {
      count = try file.read(into: &buffer, from: filled)
      plain = consume file
    } else {
      // A read has failed before.
      count = 0
    }
    filled += count
    byteCount += Int64(count)
    isAtEnd = count == 0
  }
}
