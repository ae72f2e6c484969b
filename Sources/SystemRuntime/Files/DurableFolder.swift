import Glibc
public import SystemPackage

/// A folder whose files are either there as a whole or not at all, also after a crash.
///
/// Files are only ever made new: under a temporary name, written, forced to the disk, then given their name (fsync(2),
/// rename(2)). Names must be plain: without a slash and not beginning with a dot.
public final class DurableFolder: Sendable {
  /// What ends the name of a file that is being written.
  static let unfinished = ".new"
  private static let mostNames = 65_536

  private let descriptor: CInt

  /// Opens the folder at `path`, which is made, for this user alone, where there is none.
  public init(_ path: String) throws(Errno) {
    // In bounds: the texts live during the calls.
    if unsafe mkdir(path, 0o700) != 0, errno != EEXIST { throw Errno(rawValue: errno) }
    let descriptor = unsafe open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw Errno(rawValue: errno) }
    self.descriptor = descriptor
  }

  deinit { close(descriptor) }

  /// The names of the folder's files, in order, without folders and those that begin with a dot; those of files that were
  /// never finished are removed.
  public func names() throws(Errno) -> [String] {
    let folder = try OpenFile(".", in: descriptor, isFolder: true)
    var names: [String] = []
    var buffer = [UInt8](repeating: 0, count: 32_768)
    while case let count = try folder.readEntries(into: &buffer), count > 0, names.count < Self.mostNames {
      // The kernel initialised these bytes; they live in the array while the span does.
      Self.append(unsafe buffer.span.bytes.extracting(0..<count), to: &names)
    }
    for name in names where name.hasSuffix(Self.unfinished) { try? remove(name) }
    return names.filter { !$0.hasSuffix(Self.unfinished) && !$0.hasPrefix(".") }.sorted()
  }

  /// The bytes of a file, at most `limit` and one more, by which a longer one can be recognized. What is not a plain file
  /// is an error.
  public func read(_ name: String, limit: Int) throws(Errno) -> [UInt8] {
    let file = try OpenFile(name, in: descriptor, followsLinks: false)
    guard try file.isPlain() else { throw .invalidArgument }
    var bytes = [UInt8](repeating: 0, count: limit + 1)
    let count = try file.readAll(into: &bytes)
    return Array(bytes[..<count])
  }

  /// Writes a file, in place of one of the same name; when it returns, the file is on the disk. With `namesLater` its name
  /// may not be before `sync()`, which several files can share.
  public func write(_ bytes: [UInt8], to name: String, namesLater: Bool = false) throws(Errno) {
    let temporary = name + Self.unfinished
    let flags = O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC
    let file = unsafe openat(descriptor, temporary, flags, 0o600)
    guard file >= 0 else { throw Errno(rawValue: errno) }
    do throws(Errno) {
      defer { close(file) }
      try Self.writeAll(bytes, to: file)
      guard fsync(file) == 0 else { throw Errno(rawValue: errno) }
    } catch {
      try? remove(temporary)
      throw error
    }
    try rename(temporary, to: name, namesLater: namesLater)
  }

  /// Waits until the names of all files are on the disk, and those of removed ones are not; some file systems have nothing
  /// to do for that (EINVAL of fsync(2)).
  public func sync() throws(Errno) {
    guard fsync(descriptor) == 0 || errno == EINVAL else { throw Errno(rawValue: errno) }
  }

  /// The size of a file in bytes (fstatat(2)).
  public func size(of name: String) throws(Errno) -> Int {
    var status = stat()
    // The kernel fills the variable it is given.
    guard unsafe fstatat(descriptor, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else {
      throw Errno(rawValue: errno)
    }
    return Int(status.st_size)
  }

  /// Gives a file another name, on the disk too.
  public func rename(_ name: String, to other: String) throws(Errno) {
    try rename(name, to: other, namesLater: false)
  }

  private func rename(_ name: String, to other: String, namesLater: Bool) throws(Errno) {
    guard unsafe renameat(descriptor, name, descriptor, other) == 0 else { throw Errno(rawValue: errno) }
    if !namesLater { try sync() }
  }

  /// Removes a file; none of that name is as well. With `namesLater` it may be there again after a crash before `sync()`.
  public func remove(_ name: String, namesLater: Bool = false) throws(Errno) {
    guard unsafe unlinkat(descriptor, name, 0) == 0 || errno == ENOENT else { throw Errno(rawValue: errno) }
    if !namesLater { try sync() }
  }

  private static func writeAll(_ bytes: [UInt8], to file: CInt) throws(Errno) {
    var written = 0
    while written < bytes.count {
      let count = unsafe bytes.withUnsafeBytes { buffer in
        // In bounds: the rest of the array after what was written.
        unsafe Glibc.write(file, buffer.baseAddress.map { unsafe $0 + written }, bytes.count - written)
      }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw count < 0 ? Errno(rawValue: errno) : .noSpace }
      written += count
    }
  }

  /// Walks records (getdents64(2): inode 8 bytes, offset 8, length 2, type 1, name ended by NUL).
  private static func append(_ records: borrowing RawSpan, to names: inout [String]) {
    var offset = 0
    while let length = records.load(offset + 16, as: UInt16.self).map(Int.init), length > 19 {
      var bytes: [UInt8] = []
      while bytes.count < length - 19, let byte = records.load(offset + 19 + bytes.count, as: UInt8.self),
        byte != 0
      { bytes.append(byte) }
      let isFolder = records.load(offset + 18, as: UInt8.self) == 4  // DT_DIR
      // A name that is no text is not ours.
      if !isFolder, let name = String(validating: bytes, as: UTF8.self), name != ".", name != ".." {
        names.append(name)
      }
      offset += length
    }
  }
}
