import Model
import SystemRuntime

/// A process of the last listing, with what is remembered of its sockets.
package struct KnownProcess {
  /// A descriptor that was a socket when it was last looked at.
  struct HeldSocket {
    var inode: UInt64
    var descriptor: Int32
    /// The thread whose descriptor it is; 0 where it is the process's own.
    var thread: Int32 = 0
  }

  let pid: Int32
  /// The folder of its descriptors in /proc: asked for each tick, so written once.
  let descriptorFolder: String
  /// The inode of /proc/PID: another one may mean another process.
  var folderInode: UInt64
  /// Nil until `stat` was read.
  var identity: ProcessIdentity?
  /// The state of /proc/PID/fd before it was last read; nil until then. An equal state means: the same process,
  /// and (where the kernel says) as many open descriptors.
  var descriptors: OpenFile.Status?
  var sockets: [HeldSocket] = []
  /// Threads that have descriptors of their own.
  var threads: [Int32] = []
  /// True when its descriptors may not be read.
  var isDenied = false
  /// True when this call has read all its descriptors.
  var isFresh = false
  /// Just this process, as most sockets have one holder: one array for all of them.
  var asHolders: [ProcessIdentity] = []

  init(pid: Int32, folderInode: UInt64) {
    self.pid = pid
    descriptorFolder = "\(pid)/fd"
    self.folderInode = folderInode
  }

  /// The folder of the descriptors of a thread, or its own for 0.
  func folder(of thread: Int32) -> String { thread == 0 ? descriptorFolder : "\(pid)/task/\(thread)/fd" }
}

/// When to look for the holder of a socket that nobody seems to hold.
///
/// Reading all descriptors of all processes is the dearest thing this module does, and some sockets (the
/// kernel's own, those of other pid namespaces) are never found: the pauses between searches double.
struct SearchHistory {
  private struct Search {
    var pause: UInt64
    var next: UInt64
  }

  private static let longestPause: UInt64 = 64
  private let firstPause: UInt64
  private var searches: [UInt64: Search] = [:]

  /// The first pause is longer where the kernel reports that a process's descriptors changed: such a process is
  /// read anyway.
  init(countsDescriptors: Bool) { firstPause = countsDescriptors ? 8 : 1 }

  /// True when `inode` was never searched, or its pause is over.
  func isDue(_ inode: UInt64, at tick: UInt64) -> Bool {
    searches[inode].map { tick >= $0.next } ?? true
  }

  /// Keeps only what is still `missing`, and after a search lengthens its pauses.
  mutating func note(missing: [UInt64], wereSearched: Bool, at tick: UInt64) {
    if missing.isEmpty, searches.isEmpty { return }
    var kept: [UInt64: Search] = [:]
    for inode in missing {
      let last = searches[inode]
      if wereSearched {
        let pause = min(last.map { $0.pause * 2 } ?? firstPause, Self.longestPause)
        kept[inode] = Search(pause: pause, next: tick + pause)
      } else {
        kept[inode] = last
      }
    }
    searches = kept
  }
}
