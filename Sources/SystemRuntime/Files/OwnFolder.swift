import Glibc
public import SystemPackage

/// A folder that one process has for itself, as long as its owner lives (flock(2)).
public final class OwnFolder: Sendable {
  /// Where it is.
  public let path: String
  private let descriptor: CInt

  /// Takes the folder at an absolute `path`, which is made, with those above it, where there is none.
  ///
  /// Errors: `wouldBlock` where another process has it; those of mkdir(2) and open(2).
  public init(_ path: String) throws(Errno) {
    var part = ""
    var refusal: Errno?
    let names = path.split(separator: "/")
    for (index, name) in names.enumerated() {
      part += "/\(name)"
      // Others must not see into it; they may have folders of their own beside root's. In bounds: the text lives during the
      // call.
      let mode: mode_t = index + 1 < names.count && geteuid() == 0 ? 0o755 : 0o700
      guard unsafe mkdir(part, mode) != 0, errno != EEXIST else { continue }
      // Below what could not be made nothing can be made either.
      guard errno == EROFS || errno == EACCES else { throw errno == ENOENT ? refusal ?? .last : .last }
      // Both may also come for a folder that exists.
      refusal = .last
    }
    let descriptor = unsafe open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw errno == ENOENT ? refusal ?? .last : .last }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      let error = Errno.last
      close(descriptor)
      throw error
    }
    self.path = path
    self.descriptor = descriptor
  }

  deinit {
    // Closing is not enough: from fork(2) until it runs its own program a child holds the lock as well.
    flock(descriptor, LOCK_UN)
    close(descriptor)
  }
}
