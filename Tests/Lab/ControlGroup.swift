import Foundation
import Glibc

/// A control group of the test's own (cgroups(7), version 2), removed with its last owner.
public final class ControlGroup: Sendable {
  /// Its path as /proc/PID/cgroup names it.
  public let path: String
  private let folder: String
  private let parent: String

  /// Makes `/bwlab-PID.slice/NAME`.
  public init(_ name: String) throws {
    guard let mount = Self.mount else { throw LabError.missing("cgroup version 2") }
    let slice = "/bwlab-\(getpid()).slice"
    parent = mount + slice
    path = "\(slice)/\(name)"
    folder = "\(parent)/\(name)"
    do { try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true) } catch {
      throw LabError.missing("a cgroup version 2 that root may divide")
    }
  }

  // Not removeItem: the files inside are the kernel's.
  deinit {
    unsafe rmdir(folder)
    unsafe rmdir(parent)
  }

  /// Moves a process into this group.
  ///
  /// From outside: `ip netns exec` gives its program a /sys without control groups.
  public func adopt(_ pid: pid_t) throws {
    let file = try FileHandle(forWritingTo: URL(filePath: "\(folder)/cgroup.procs"))
    try file.write(contentsOf: Data("\(pid)".utf8))
    try file.close()
  }

  private static var mount: String? {
    let text = String(decoding: FileManager.default.contents(atPath: "/proc/mounts") ?? Data(), as: UTF8.self)
    let fields = text.split(separator: "\n").map { $0.split(separator: " ") }
    return fields.first { $0.count > 2 && $0[2] == "cgroup2" }.map { String($0[1]) }
  }
}
