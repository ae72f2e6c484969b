import Glibc

@testable import SystemRuntime

extension Target {
  // Has no name: gone with the process.
  private static let file = unsafe tmpfile().map { unsafe fileno($0) } ?? -1

  /// The first byte says how long the reader's buffer is; the others are the file.
  static func lines(_ input: [UInt8]) throws(Violation) {
    guard let first = input.first else { return }
    let room = Int(first) + 1
    let text = input.dropFirst()
    // In bounds: the pointer and count are the slice's own.
    let written = unsafe text.withUnsafeBytes { unsafe pwrite(file, $0.baseAddress, $0.count, 0) }
    guard written == text.count, ftruncate(file, text.count) == 0 else {
      throw Violation(description: "the file cannot be written")
    }
    var reader = LineReader(byteCount: room)
    var seen: [[UInt8]] = []
    var tooLong: UInt64?
    do {
      tooLong = try reader.forEachLine(of: OpenFile("/proc/self/fd/\(file)")) { line in
        seen.append(line.indices.map { line[$0] })
      }
    } catch { throw Violation(description: "the file cannot be read: \(error)") }

    var lines = text.split(separator: 0x0a, omittingEmptySubsequences: false).map(Array.init)
    // What follows the last end of a line is a line only if there is something.
    if lines.last == [] { lines.removeLast() }
    try law("lines that fit come whole and in order", seen == lines.filter { $0.count < room })
    try law("the others are counted", tooLong == UInt64(lines.count { $0.count >= room }))
  }
}
