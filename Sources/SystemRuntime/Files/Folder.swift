import Glibc
package import SystemPackage

/// An open folder through which nothing outside it is reached: names are those of its entries, and no link is followed.
///
/// What is done through it goes to the folder that was opened, also when another one has its name by now.
package final class Folder: Sendable {
  /// What the folder says of an entry before it is looked at.
  package enum Hint: Sendable { case folder, link, unknown, file }

  /// Holds about a hundred names, so that most folders take two calls.
  private static let listingByteCount = 4096

  let descriptor: CInt

  /// Opens the folder at `path`; links are followed, it is the user's own word.
  package init(_ path: String) throws(Errno) {
    // In bounds: the text lives during the call.
    descriptor = unsafe open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .last }
  }

  private init(_ name: [CChar], in folder: Folder) throws(Errno) {
    // In bounds: the array ends with NUL and lives during the call.
    descriptor = unsafe openat(
      folder.descriptor, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
    guard descriptor >= 0 else { throw .last }
  }

  deinit { close(descriptor) }

  /// Opens a folder in it. Errors: `notDirectory` or `tooManySymbolicLinkLevels` for a link.
  package func folder(_ name: FileName) throws(Errno) -> Folder { try Folder(name.bytes, in: self) }

  /// Opens the same folder once more.
  package func reopened() throws(Errno) -> Folder { try Folder([0x2e, 0], in: self) }

  /// Where it is, without links on the way, as the kernel knows it (/proc/self/fd); nil without procfs.
  package var realPath: String? {
    guard let folder = try? OpenFile("/proc/self/fd", isFolder: true) else { return nil }
    var bytes = [UInt8](repeating: 0, count: Int(PATH_MAX))
    guard let count = try? folder.readLink("\(descriptor)", into: &bytes) else { return nil }
    return String(decoding: bytes[..<count], as: UTF8.self)
  }

  /// Opens a file in it for reading. Errors: `invalidArgument` for what is not a plain file.
  package func file(_ name: String) throws(Errno) -> OpenFile {
    guard FileName(name) != nil else { throw .invalidArgument }
    let file = try OpenFile(name, in: descriptor, followsLinks: false)
    guard try file.isPlain() else { throw .invalidArgument }
    return file
  }

  /// The first bytes of a plain file in it, `limit` at most and one more, by which a longer one is recognized.
  package func read(_ name: String, limit: Int) throws(Errno) -> [UInt8] {
    let file = try file(name)
    var bytes = [UInt8](repeating: 0, count: limit + 1)
    let count = try file.readAll(into: &bytes)
    return Array(bytes[..<count])
  }

  /// Calls `body` with each entry, in no order, until it returns false.
  package func forEachEntry(
    _ body: (FileName, Hint) throws(Errno) -> Bool
  ) throws(Errno) {
    let listing = try OpenFile(".", in: descriptor, isFolder: true)
    var buffer = [UInt8](repeating: 0, count: Self.listingByteCount)
    while case let count = try listing.readEntries(into: &buffer), count > 0 {
      // The kernel initialised these bytes; they live in the array while the span does.
      guard try Self.walk(unsafe buffer.span.bytes.extracting(0..<count), body) else { return }
    }
  }

  /// Walks records (getdents64(2): inode 8 bytes, offset 8, length 2, type 1, name ended by NUL).
  private static func walk(
    _ records: borrowing RawSpan, _ body: (FileName, Hint) throws(Errno) -> Bool
  ) throws(Errno) -> Bool {
    var offset = 0
    while let length = records.load(offset + 16, as: UInt16.self).map(Int.init), length > 19 {
      var name: [CChar] = []
      while name.count < length - 19, let byte = records.load(offset + 19 + name.count, as: CChar.self),
        byte != 0
      { name.append(byte) }
      let hint: Hint =
        switch records.load(offset + 18, as: UInt8.self) {
        // DT_DIR, DT_LNK and DT_UNKNOWN of readdir(3).
        case 4: .folder
        case 10: .link
        case 0, nil: .unknown
        default: .file
        }
      offset += length
      if name == [0x2e] || name == [0x2e, 0x2e] { continue }
      guard try body(FileName(bytes: name + [0]), hint) else { return false }
    }
    return true
  }
}
