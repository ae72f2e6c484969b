import CLinux
import Glibc
import SystemPackage

/// Gives up privileges that are not needed: what is never used cannot be misused by who breaks in.
public enum Confinement {
  /// What the programs that this one runs may do.
  public enum Children: Sendable, Hashable {
    /// It runs none: they could gain nothing.
    case none
    /// As much as without us: the user's own commands, which may need all that the user has.
    case asBefore
  }

  /// Keeps only those of this process's capabilities that are in `kept`.
  ///
  /// Programs that it runs may gain no more, where `children` is `none`. With `allThreads` false only the calling
  /// thread, and those that it starts, are meant. Errors: `notConfined` where the kernel refuses.
  public static func drop(
    toKeep kept: Capabilities, children: Children, allThreads: Bool = true
  ) throws(KernelError) {
    let operation = "giving up capabilities"
    var sets = clinux_capabilities()
    // In bounds: the call fills one structure.
    guard unsafe clinux_get_capabilities(&sets) == 0 else { throw .notConfined(operation, .last) }
    let remaining = sets.kept(kept, children)
    guard clinux_confine(remaining, children == .none ? 1 : 0, allThreads ? 1 : 0) == 0 else {
      throw .notConfined(operation, .last)
    }
  }

  /// Refuses from now on what only an intruder would do, on all threads: running programs, opening files to write,
  /// meddling with other processes, changing the kernel (Sources/CLinux/fence.c has the list), and without
  /// `anySocket` sockets other than netlink's.
  ///
  /// Open first what is to be written; a program that goes on making files says so by `writesFiles`. Needs `drop` for children of `none`. With `allThreads` false only the
  /// calling thread is meant. Errors: `notConfined`, as where the kernel has no seccomp filters.
  public static func fence(
    anySocket: Bool, writesFiles: Bool = false, allThreads: Bool = true
  ) throws(KernelError) {
    guard clinux_raise_fence(anySocket ? 1 : 0, writesFiles ? 1 : 0, allThreads ? 1 : 0) == 0 else {
      throw .notConfined("refusing system calls that are not needed (seccomp)", .last)
    }
  }
}

extension clinux_capabilities {
  /// What remains of these sets.
  ///
  /// Root's commands get the bounding set by being root's; other users' the ambient set, which the kernel keeps
  /// within both the permitted and the inheritable one: then that part of the permitted one stays.
  func kept(_ kept: Capabilities, _ children: Confinement.Children) -> clinux_capabilities {
    let passedOn = children == .none ? 0 : permitted & inheritable
    return clinux_capabilities(
      effective: permitted & kept.rawValue, permitted: permitted & (kept.rawValue | passedOn),
      inheritable: children == .none ? 0 : inheritable)
  }
}
