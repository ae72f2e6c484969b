import Glibc

/// A tree that looks like procfs to its readers; gone with its owner.
public final class ProcessesFakeProc {
  /// Where it is.
  public let path: String
  // In the order they were made, so that they can be removed in reverse.
  private var made: [String] = []

  /// Makes an empty tree. In a tmpfs, as /dev/shm is, the size of a folder changes with what it has, as the kernel's do.
  public init(in folder: String = "/tmp") {
    path = "\(folder)/bwmon-proc-\(getpid())-\(UInt64.random(in: 0 ... .max))"
    self.folder("")
  }

  deinit {
    for path in made.reversed() { remove(path) }
  }

  /// Makes a process with what every process has.
  public func add(
    _ pid: Int32, start: UInt64 = 100, name: [UInt8] = Array("prog".utf8), parent: Int32 = 1,
    state: String = "S",
    arguments: [UInt8] = Array("prog\0-x\0".utf8), uid: UInt32 = 1000, executable: String? = "/usr/bin/prog",
    sockets: [Int32: UInt64] = [:]
  ) {
    folder("\(pid)")
    folder("\(pid)/fd")
    stat(pid, start: start, name: name, parent: parent, state: state)
    write("\(pid)/cmdline", arguments)
    write("\(pid)/status", Array("Name:\tprog\nUid:\t\(uid)\t0\t0\t0\n".utf8))
    if let executable { link("\(pid)/exe", executable) }
    for (descriptor, inode) in sockets { hold(pid, descriptor, inode) }
  }

  /// Gives a process threads beside its main one, with sockets and files of their own. The kernel is asked whether they
  /// share their descriptors: numbers that it gives to nobody do not.
  public func addThreads(_ pid: Int32, _ threads: [Int32: [Int32: UInt64]]) {
    folder("\(pid)/task")
    folder("\(pid)/task/\(pid)")
    for (thread, sockets) in threads {
      folder("\(pid)/task/\(thread)")
      folder("\(pid)/task/\(thread)/fd")
      write("\(pid)/task/\(thread)/cmdline", Array("thread\0-x\0".utf8))
      link("\(pid)/task/\(thread)/exe", "/usr/bin/thread")
      for (descriptor, inode) in sockets {
        link("\(pid)/task/\(thread)/fd/\(descriptor)", "socket:[\(inode)]")
      }
    }
  }

  /// Writes a process's `stat`.
  public func stat(
    _ pid: Int32, start: UInt64, name: [UInt8], parent: Int32 = 1, state: String = "S",
    flags: UInt32 = 4_194_304
  ) {
    let rest =
      ") \(state) \(parent) 1 1 0 -1 \(flags) 100 0 0 0 0 0 0 0 20 0 1 0 \(start) 3133440 373 18446744073709551615"
      + " 1 1 0 0 0 0 0 0 0 0 0 0 17 0 0 0\n"
    write("\(pid)/stat", Array("\(pid) (".utf8) + name + Array(rest.utf8))
  }

  /// Points a descriptor of a process at a socket.
  public func hold(_ pid: Int32, _ descriptor: Int32, _ inode: UInt64) {
    link("\(pid)/fd/\(descriptor)", "socket:[\(inode)]")
  }

  /// Closes a descriptor of a process, or of a thread of it.
  public func close(_ pid: Int32, _ descriptor: Int32, thread: Int32? = nil) {
    let folder = thread.map { "\(pid)/task/\($0)" } ?? "\(pid)"
    remove("\(path)/\(folder)/fd/\(descriptor)")
  }

  /// Ends a process. Its folder is moved away, so that the file system cannot give its inode to another.
  public func end(_ pid: Int32) {
    let old = "/\(pid)-\(UInt64.random(in: 0 ... .max))"
    unsafe rename("\(path)/\(pid)", path + old)
    made = made.map { name in
      name == "\(path)/\(pid)" || name.hasPrefix("\(path)/\(pid)/")
        ? path + old + name.dropFirst("\(path)/\(pid)".count) : name
    }
  }

  /// Makes a folder.
  public func folder(_ name: String) { note(name) { unsafe mkdir($0, 0o755) } }

  /// Makes or replaces a symbolic link.
  public func link(_ name: String, _ target: String) {
    remove("\(path)/\(name)")
    note(name) { unsafe symlink(target, $0) }
  }

  /// Makes or replaces a file.
  public func write(_ name: String, _ bytes: [UInt8]) {
    note(name) { path in
      let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
      defer { _ = Glibc.close(descriptor) }
      return unsafe CInt(bytes.withUnsafeBytes { unsafe Glibc.write(descriptor, $0.baseAddress, $0.count) })
    }
  }

  private func note(_ name: String, _ make: (String) -> CInt) {
    let path = name.isEmpty ? path : "\(path)/\(name)"
    made.append(path)
    guard make(path) >= 0 else { preconditionFailure("\(path): \(errno)") }
  }

  private func remove(_ path: String) { if unsafe unlink(path) != 0 { unsafe rmdir(path) } }
}
