import CLinux
import SystemRuntime
import SystemPackage

/// Finds the threads by which a process goes on where its own files in /proc, which are its main thread's, show nothing.
struct SeparateThreads {
  /// The most that are distinguished of one process.
  private static let limit = 64
  private var entries = NumberedEntries(limit: 65_536)
  private var listing: [NumberedEntry] = []
  private let share: (Int32, Int32) -> CInt

  /// `share` compares the descriptor tables of two threads: 1 where they are one, 0 where not, negative where the kernel
  /// does not say.
  init(share: @escaping (Int32, Int32) -> CInt = clinux_share_descriptors) { self.share = share }

  /// The threads of `pid`, below `root` (/proc), that do not share its descriptors, one for each other table: any after
  /// its main thread has ended (pthread_exit(3)), else who has a table of its own (unshare(2), CLONE_FILES). With
  /// `mainHasNone` its main thread shows no descriptor.
  ///
  /// One question for a process with a single thread, one more for each other thread.
  mutating func withDescriptors(of pid: Int32, mainHasNone: Bool, in root: borrowing OpenFile) -> [Int32] {
    // Two links, and one for each thread.
    guard let status = try? root.status(of: "\(pid)/task"), status.links > 3,
      let folder = try? OpenFile("\(pid)/task", in: root, isFolder: true)
    else { return [] }
    var tables = [pid]
    // Where the kernel does not compare (a container's filter of system calls), a table counts as shared: the usual
    // case, and looking at each thread of each process would cost most where least can be seen. An empty table shows
    // nothing, so one other is looked at beside it.
    for thread in others(than: pid, in: folder) where tables.count <= Self.limit {
      let isShared = tables.contains { table in
        let answer = share(table, thread)
        return answer < 0 ? table != pid || !mainHasNone : answer > 0
      }
      if !isShared { tables.append(thread) }
    }
    return Array(tables.dropFirst())
  }

  /// The folder that shows what a process runs, and where, once its main thread has ended; nil when all have ended.
  mutating func substitute(for process: borrowing OpenFile, pid: Int32) -> ProcessFolder? {
    guard let folder = try? OpenFile("task", in: process, isFolder: true) else { return nil }
    for thread in others(than: pid, in: folder) {
      if let file = try? OpenFile("\(thread)", in: folder, isFolder: true) { return ProcessFolder(file) }
    }
    return nil
  }

  /// All threads but the main one. Of these none is listed that has ended.
  private mutating func others(than pid: Int32, in folder: borrowing OpenFile) -> [Int32] {
    guard (try? entries.list(folder, into: &listing)) != nil else { return [] }
    return listing.map(\.number).filter { $0 != pid }
  }
}
