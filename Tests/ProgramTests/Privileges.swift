import Foundation

/// What a thread may do, as /proc/PID/status tells.
struct Privileges: Hashable, CustomStringConvertible {
  static let kill: UInt64 = 1 << 5
  /// CAP_DAC_READ_SEARCH, CAP_NET_ADMIN, CAP_SYS_PTRACE.
  static let measuring: UInt64 = 1 << 2 | 1 << 12 | 1 << 19
  static let system: UInt64 = 1 << 21
  /// CAP_DAC_READ_SEARCH.
  static let files: UInt64 = 1 << 2
  /// CAP_NET_BIND_SERVICE, CAP_SYS_RESOURCE.
  static let forwarding: UInt64 = 1 << 10 | 1 << 24
  /// CAP_NET_RAW.
  static let probing: UInt64 = 1 << 13
  static let resources: UInt64 = 1 << 24
  static let scheduling: UInt64 = 1 << 23
  /// The name of the thread that listens to the connection table.
  static let listener = "flow-events"
  /// CAP_DAC_READ_SEARCH, CAP_SYS_PTRACE.
  static let naming: UInt64 = 1 << 2 | 1 << 19

  var effective: UInt64
  var permitted: UInt64
  var inheritable: UInt64
  var bounding: UInt64
  var ambient: UInt64
  var noNewPrivileges: Bool
  var isFenced: Bool

  init(status text: String) {
    func field(_ name: String) -> UInt64 {
      let line = text.split(separator: "\n").first { $0.hasPrefix(name + ":") }
      return line.flatMap { UInt64($0.drop { $0 != "\t" }.dropFirst(), radix: 16) } ?? .max
    }
    effective = field("CapEff")
    permitted = field("CapPrm")
    inheritable = field("CapInh")
    bounding = field("CapBnd")
    ambient = field("CapAmb")
    noNewPrivileges = field("NoNewPrivs") == 1
    // SECCOMP_MODE_FILTER.
    isFenced = field("Seccomp") == 2
  }

  /// Those of the test run, which root's programs start with.
  static var ownAsRoot: Privileges { Privileges(status: text("/proc/self/status")) }

  /// Those of each thread of a process.
  static func ofThreads(
    _ pid: Int32, named isWanted: (String) -> Bool = { _ in true }
  ) throws -> [Privileges] {
    try FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/task")
      .filter { isWanted(text("/proc/\(pid)/task/\($0)/comm").trimmingCharacters(in: .newlines)) }
      .map { text("/proc/\(pid)/task/\($0)/status") }
      // One may have ended meanwhile.
      .filter { !$0.isEmpty }.map { Privileges(status: $0) }
  }

  /// Adds capabilities to what a thread may use.
  mutating func add(_ capabilities: UInt64) {
    effective |= capabilities
    permitted |= capabilities
  }

  /// The scheduling policies of a process's threads with this name (proc_pid_stat(5), field 41).
  static func policies(_ pid: Int32, of name: String) throws -> [Int] {
    try FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/task")
      .filter { text("/proc/\(pid)/task/\($0)/comm").trimmingCharacters(in: .newlines) == name }
      .compactMap { thread in
        // The fields from the third on.
        let fields = text("/proc/\(pid)/task/\(thread)/stat").split(separator: ")").last?.split(
          separator: " ")
        return fields.flatMap { $0.count > 38 ? Int($0[38]) : nil }
      }
  }

  private static func text(_ path: String) -> String {
    String(decoding: FileManager.default.contents(atPath: path) ?? Data(), as: UTF8.self)
  }

  var description: String {
    let sets = [effective, permitted, inheritable, bounding, ambient].map { String($0, radix: 16) }
    return "\(sets) \(noNewPrivileges) \(isFenced)"
  }
}
