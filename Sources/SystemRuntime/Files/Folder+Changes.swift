import CLinux
import Glibc
package import SystemPackage

extension Folder {
  /// What is known of the folder itself.
  package func facts() throws(Errno) -> FileFacts { try facts([0]) }

  /// What is known of an entry; of a link, what the link is.
  package func facts(of name: FileName) throws(Errno) -> FileFacts { try facts(name.bytes) }

  private func facts(_ name: [CChar]) throws(Errno) -> FileFacts {
    var facts = clinux_file_facts()
    // In bounds: the array ends with NUL, and the call fills one structure.
    guard unsafe clinux_read_file_facts(descriptor, name, &facts) == 0 else { throw .last }
    return FileFacts(facts)
  }

  /// Takes the folder for this process alone, until `unlock` (flock(2)).
  ///
  /// Errors: `wouldBlock` where another process has it, `badFileDescriptor` or `notSupported` where the file system
  /// has no locks for folders.
  package func lock() throws(Errno) {
    while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
      guard errno == EINTR else { throw .last }
    }
  }

  /// Gives it free. Closing is not enough: from fork(2) until it runs its own program a child holds the lock as well.
  package func unlock() { flock(descriptor, LOCK_UN) }

  /// Throws where no file can be made in it: `permissionDenied`, `readOnlyFileSystem` (faccessat(2)).
  package func checkIsWritable() throws(Errno) {
    guard unsafe faccessat(descriptor, ".", W_OK, AT_EACCESS) == 0 else { throw .last }
  }

  /// Writes a file, in place of one of the same name; when it returns, the file is on the disk. Until then it has the name
  /// with `.new` at its end.
  package func write(_ bytes: [UInt8], to name: FileName) throws(Errno) {
    let temporary = FileName(bytes: name.bytes.dropLast() + [0x2e, 0x6e, 0x65, 0x77, 0])
    // What a killed run left, or a link that somebody has put there.
    try remove(temporary)
    // In bounds, here and below: the arrays end with NUL and live during the calls.
    let file = unsafe openat(
      descriptor, temporary.bytes, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o644)
    guard file >= 0 else { throw .last }
    do throws(Errno) {
      defer { close(file) }
      try Self.writeAll(bytes, to: file)
      guard fsync(file) == 0 else { throw .last }
    } catch {
      try? remove(temporary)
      throw error
    }
    guard unsafe renameat(descriptor, temporary.bytes, descriptor, name.bytes) == 0 else {
      let error = Errno.last
      try? remove(temporary)
      throw error
    }
    try synchronize()
  }

  /// Removes an entry, a folder only where it is empty; none of that name is as well.
  package func remove(_ name: FileName, isFolder: Bool = false) throws(Errno) {
    let flags = isFolder ? AT_REMOVEDIR : 0
    guard unsafe unlinkat(descriptor, name.bytes, flags) == 0 || errno == ENOENT else { throw .last }
  }

  /// Has the names of the folder on the disk (fsync(2)); some file systems have nothing to do for that.
  package func synchronize() throws(Errno) {
    guard fsync(descriptor) == 0 || errno == EINVAL else { throw .last }
  }

  private static func writeAll(_ bytes: [UInt8], to file: CInt) throws(Errno) {
    var written = 0
    while written < bytes.count {
      let count = unsafe bytes.withUnsafeBytes { buffer in
        // In bounds: the rest of the array after what was written.
        unsafe Glibc.write(file, buffer.baseAddress.map { unsafe $0 + written }, bytes.count - written)
      }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw count < 0 ? .last : .noSpace }
      written += count
    }
  }
}
