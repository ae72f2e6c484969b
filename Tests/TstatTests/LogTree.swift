import Foundation
import Glibc
import Lab

@testable import Tstat

/// Directories of logs in a folder of their own, with the times that a test wants.
struct LogTree {
  let folder: ScratchFolder

  init() throws { folder = try ScratchFolder() }

  var path: String { folder.path }

  var root: LogRoot { get throws { try LogRoot(path) } }

  func found() throws -> [LogDirectory] { try LogDirectories(below: root, includesMarked: true).found }

  /// Makes a directory with logs; times are how long ago. Returns its path.
  @discardableResult
  func make(
    _ name: String, logs: [String] = ["log_tcp_complete"], changed: Duration = .seconds(86_400),
    sent: Duration? = nil, extra: [String] = []
  ) throws -> String {
    let path = "\(path)/\(name)"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    for log in logs {
      try folder.write("a row\n", to: "\(name)/\(log)")
      try setTime("\(name)/\(log)", ago: changed)
    }
    for file in extra { try folder.write("more\n", to: "\(name)/\(file)") }
    if let sent {
      try folder.write("processed", to: "\(name)/.processed")
      try setTime("\(name)/.processed", ago: sent)
    }
    return path
  }

  /// Sets when a file was changed, to the nanosecond.
  func setTime(_ name: String, ago: Duration) throws {
    var now = timespec()
    unsafe clock_gettime(CLOCK_REALTIME, &now)
    let (seconds, attoseconds) =
      (Duration.seconds(now.tv_sec) + .nanoseconds(now.tv_nsec) - ago).components
    let time = timespec(tv_sec: Int(seconds), tv_nsec: Int(attoseconds / 1_000_000_000))
    // In bounds: two structures, as the call wants.
    guard unsafe utimensat(AT_FDCWD, "\(path)/\(name)", [time, time], AT_SYMLINK_NOFOLLOW) == 0 else {
      throw LabError.malformed("\(name): errno \(errno)")
    }
  }

  func exists(_ name: String) -> Bool {
    (try? FileManager.default.attributesOfItem(atPath: "\(path)/\(name)")) != nil
  }

  func link(_ name: String, to target: String) throws {
    try FileManager.default.createSymbolicLink(atPath: "\(path)/\(name)", withDestinationPath: target)
  }
}

/// A folder that a process in a mount namespace of its own has prepared; its files are seen through /proc.
struct MountedFolder {
  private let process: ChildProcess
  let path: String

  /// Runs `prepare` in a shell, in which $1 is a new folder.
  init(_ prepare: String) async throws {
    let folder = try ScratchFolder()
    let script = "\(prepare); echo ready; read line"
    process = try ChildProcess(["unshare", "-m", "sh", "-ec", script, "sh", folder.path])
    path = "/proc/\(process.pid)/root\(folder.path)"
    keep = folder
    try await process.output.first("the mount") { $0 == "ready" ? () : nil }
  }

  private let keep: ScratchFolder
}
