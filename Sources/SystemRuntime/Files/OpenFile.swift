import CLinux
import Glibc
import SystemPackage

/// An open file or folder; closed when its owner goes.
@safe package struct OpenFile: ~Copyable {
  /// What fstat(2) reports of a file that matters here.
  package struct Status: Equatable {
    /// The inode: of /proc, unique to one process and file for as long as the kernel remembers the file.
    package var inode: UInt64
    /// The size in bytes; of /proc/PID/fd the number of open descriptors, 0 before Linux 6.2.
    package var size: Int64
    /// The user it belongs to: of a process, the effective user.
    package var owner: UInt32
    /// The names it has: of a folder two, and one for each folder in it.
    package var links: UInt64

    fileprivate init(_ status: stat) {
      inode = UInt64(status.st_ino)
      size = Int64(status.st_size)
      owner = status.st_uid
      links = UInt64(status.st_nlink)
    }
  }

  /// The descriptor, for calls about the file itself; it stays this file's.
  package let descriptor: CInt

  /// Opens `path` for reading; relative to the working directory.
  package init(_ path: String, isFolder: Bool = false) throws(Errno) {
    descriptor = try Self.open(path, in: AT_FDCWD, isFolder)
  }

  /// Opens `path` for reading; relative to `folder`.
  package init(_ path: String, in folder: borrowing OpenFile, isFolder: Bool = false) throws(Errno) {
    descriptor = try Self.open(path, in: folder.descriptor, isFolder)
  }

  /// Opens `path` for reading; relative to the open folder `folder`, which stays its owner's. Without `followsLinks` a
  /// symbolic link of that name is an error.
  init(_ path: String, in folder: CInt, isFolder: Bool = false, followsLinks: Bool = true) throws(Errno) {
    descriptor = try Self.open(path, in: folder, isFolder, followsLinks: followsLinks)
  }

  /// What this program was given as its standard input, also where it could not be opened again: a socket, or a file of another
  /// user.
  init(standardInput: Void) throws(Errno) {
    descriptor = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1)
    guard descriptor >= 0 else { throw .last }
  }

  deinit { close(descriptor) }

  /// True for a plain file: no folder, FIFO, socket or device.
  func isPlain() throws(Errno) -> Bool {
    var status = stat()
    // The kernel fills the variable it is given.
    guard unsafe fstat(descriptor, &status) == 0 else { throw Errno(rawValue: errno) }
    return status.st_mode & S_IFMT == S_IFREG
  }

  /// What is known of the open file itself.
  package func status() throws(Errno) -> Status {
    var status = stat()
    // The kernel fills the variable it is given.
    guard unsafe fstat(descriptor, &status) == 0 else { throw Errno(rawValue: errno) }
    return Status(status)
  }

  /// True when both are of the same mounted file system.
  package func isBeside(_ other: borrowing OpenFile) -> Bool {
    var (own, others) = (stat(), stat())
    // The kernel fills the variables it is given.
    guard unsafe fstat(descriptor, &own) == 0, unsafe fstat(other.descriptor, &others) == 0 else {
      return false
    }
    return own.st_dev == others.st_dev
  }

  /// What is known of `path`, relative to this folder, without opening it.
  package func status(of path: String) throws(Errno) -> Status {
    var status = stat()
    // The kernel fills the variable it is given.
    guard unsafe fstatat(descriptor, path, &status, 0) == 0 else { throw Errno(rawValue: errno) }
    return Status(status)
  }

  /// Reads the first bytes again, as many as come at once: of a file of /proc that changes. Returns how many.
  package func readAgain(into buffer: inout [UInt8]) throws(Errno) -> Int {
    let descriptor = descriptor
    return try Self.retrying {
      // In bounds: the pointer and count are the array's own.
      unsafe buffer.withUnsafeMutableBytes { unsafe pread(descriptor, $0.baseAddress, $0.count, 0) }
    }
  }

  /// Goes back to the first byte or entry.
  package func rewind() throws(Errno) {
    guard lseek(descriptor, 0, SEEK_SET) == 0 else { throw Errno(rawValue: errno) }
  }

  /// Reads into `buffer` from `start` on; returns how many bytes came, 0 at the end.
  package func read(into buffer: inout [UInt8], from start: Int = 0) throws(Errno) -> Int {
    let descriptor = descriptor
    guard buffer.indices.contains(start) else { return 0 }
    return try Self.retrying {
      unsafe buffer.withUnsafeMutableBytes { bytes in
        // In bounds: the rest of the array after a start that lies inside it.
        unsafe Glibc.read(descriptor, bytes.baseAddress.map { unsafe $0 + start }, bytes.count - start)
      }
    }
  }

  /// Reads until the end or until `buffer` is full; returns how many bytes came.
  package func readAll(into buffer: inout [UInt8]) throws(Errno) -> Int {
    var filled = 0
    while case let count = try read(into: &buffer, from: filled), count > 0 { filled += count }
    return filled
  }

  /// Reads the link `path` of this folder into `buffer`; returns its length, cut at the buffer's.
  package func readLink(_ path: String, into buffer: inout [UInt8]) throws(Errno) -> Int {
    let descriptor = descriptor
    return try Self.retrying {
      unsafe buffer.withUnsafeMutableBytes { bytes in
        guard let start = bytes.baseAddress else { return 0 }
        // In bounds: the pointer and count are the array's own.
        return unsafe readlinkat(descriptor, path, start.assumingMemoryBound(to: CChar.self), bytes.count)
      }
    }
  }

  /// Reads entries of this folder (struct linux_dirent64) into `buffer`; returns their bytes, 0 at the end.
  package func readEntries(into buffer: inout [UInt8]) throws(Errno) -> Int {
    let descriptor = descriptor
    return try Self.retrying {
      // In bounds: the pointer and count are the array's own.
      unsafe buffer.withUnsafeMutableBytes { unsafe clinux_getdents64(descriptor, $0.baseAddress, $0.count) }
    }
  }

  /// Repeats a call that a signal interrupted; -1 becomes the error it stands for.
  private static func retrying(_ call: () -> Int) throws(Errno) -> Int {
    while true {
      let result = call()
      if result >= 0 { return result }
      guard errno == EINTR else { throw Errno(rawValue: errno) }
    }
  }

  private static func open(
    _ path: String, in folder: CInt, _ isFolder: Bool, followsLinks: Bool = true
  ) throws(Errno) -> CInt {
    // A FIFO without a writer must not make us wait.
    let flags =
      O_RDONLY | O_CLOEXEC | O_NONBLOCK | (isFolder ? O_DIRECTORY : 0) | (followsLinks ? 0 : O_NOFOLLOW)
    return CInt(try retrying { Int(unsafe openat(folder, path, flags)) })
  }
}
