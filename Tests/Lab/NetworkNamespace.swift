import Foundation
import Glibc
import Synchronization

/// A network namespace of the test's own.
public final class NetworkNamespace: Sendable {
  /// As `ip netns` knows it: `bwlab-PID-NUMBER`, PID being that of the test run.
  public let name: String

  private static let prefix = "bwlab-"
  private static let counter = Atomic<Int>(0)
  private static let folder = "/run/netns"

  /// Makes a namespace with its loopback up, and ping sockets allowed to everyone.
  public init() async throws {
    Self.removeLeftovers()
    let number = Self.counter.wrappingAdd(1, ordering: .relaxed).newValue
    name = "\(Self.prefix)\(getpid())-\(number)"
    try await Lab.run("ip netns add \(name)")
    try await ip("link set lo up")
    try await setSysctl("net.ipv4.ping_group_range", to: "0 2147483647")
  }

  deinit { Self.remove(name) }

  /// Starts a program inside; its pid is the program's own.
  public func start(
    _ arguments: [String], environment: [String: String] = [:], output: ChildProcess.Output = .file
  ) throws -> ChildProcess {
    try ChildProcess(["ip", "netns", "exec", name] + arguments, environment: environment, output: output)
  }

  /// Runs a command inside to its end and returns its output.
  @discardableResult
  public func run(_ arguments: [String]) async throws -> String {
    try await Lab.run(["ip", "netns", "exec", name] + arguments)
  }

  /// Starts a process that does nothing, and waits until it is inside: whoever looks into namespaces knows this one from
  /// then on, also while a busy machine keeps the next one on its way in.
  public func resident() async throws -> ChildProcess {
    let process = try start(["sh", "-c", "echo in; exec sleep 1000"])
    try await process.output.first("its start") { $0 == "in" ? () : nil }
    return process
  }

  /// Runs a command line inside whose words have no spaces within.
  @discardableResult
  public func run(_ line: String) async throws -> String {
    try await run(line.split(separator: " ").map(String.init))
  }

  /// Runs ip(8) on it.
  @discardableResult
  public func ip(_ line: String) async throws -> String {
    try await Lab.run("ip -n \(name) \(line)")
  }

  /// Sets a kernel parameter inside.
  public func setSysctl(_ key: String, to value: String) async throws {
    try await run(["sysctl", "-qw", "\(key)=\(value)"])
  }

  /// Returns a kernel parameter of it.
  public func sysctl(_ key: String) async throws -> String {
    try await run("sysctl -n \(key)").trimmingCharacters(in: .whitespacesAndNewlines)
  }

  /// What tells it from all others: N of `net:[N]`.
  public var inode: UInt64 { Self.inode("\(Self.folder)/\(name)") ?? 0 }

  /// Removes what test runs that were killed have left.
  private static func removeLeftovers() {
    for name in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [] {
      guard name.hasPrefix(prefix), let run = name.dropFirst(prefix.count).split(separator: "-").first,
        let pid = pid_t(run), kill(pid, 0) != 0, errno == ESRCH
      else { continue }
      remove(name)
    }
  }

  /// Kills what still runs in it, which only its owner can have started, and removes it.
  private static func remove(_ name: String) {
    guard let own = inode("\(folder)/\(name)") else { return }
    for entry in (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? [] {
      if let pid = pid_t(entry), inode("/proc/\(pid)/ns/net") == own { kill(pid, SIGKILL) }
    }
    _ = unsafe umount2("\(folder)/\(name)", CInt(MNT_DETACH))
    unsafe unlink("\(folder)/\(name)")
  }

  private static func inode(_ path: String) -> UInt64? {
    var status = stat()
    guard unsafe stat(path, &status) == 0 else { return nil }
    return UInt64(status.st_ino)
  }
}
