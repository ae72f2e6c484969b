import Foundation
import Glibc
import Testing

/// Something that a test needs of the machine and that not every machine has.
public enum Requirement: String, Sendable, CaseIterable {
  /// To be root.
  case root
  /// To be root and to make network namespaces.
  case namespaces
  /// The queueing discipline that delays and loses packets.
  case netem
  /// SCTP sockets.
  case sctp
  /// WireGuard interfaces.
  case wireguard
  /// Dummy interfaces.
  case dummy
  /// Control groups of version 2 that root may divide.
  case cgroups
  /// TAP interfaces.
  case tap
  /// TUN interfaces.
  case tun
  /// Bridges whose frames netfilter sees.
  case bridgeNetfilter = "br_netfilter"
  /// VXLAN interfaces.
  case vxlan
  /// Flowtables of nft(8).
  case flowtable
  /// To choose the next pid.
  case nextPid = "ns_last_pid"
  /// io_uring, which some hosts forbid.
  case uring = "io_uring"
  /// BPF programs that count by call.
  case calls = "bpf"
  /// BPF programs that watch packets.
  case packets = "bpf-5.8"
  /// Logs of a real tstat, whose folder the environment's `TSTAT_LOGS` names.
  case realLogs = "tstat_logs"
  /// What the tests' own servers are made of.
  case servers = "python3 and openssl, see make test-deps"
  /// The originals that ours are run beside.
  case originals = "connvitals and connmonitor of PyPI, see make test-deps"

  /// Whether a continuous-integration run asks that nothing is skipped without a word.
  static var everyTestMustRun: Bool { ProcessInfo.processInfo.environment["CI"] == "true" }

  /// The folder of real logs of tstat and of what the original makes of them.
  public static let logs = ProcessInfo.processInfo.environment["TSTAT_LOGS"]

  /// Whether Tests/known-skips.txt says that this may be missing.
  public var isKnownSkip: Bool { Self.isKnownSkip(rawValue) }

  /// Skips the running test, as its situation did not arise or this machine lacks what the word stands for.
  ///
  /// - Throws: `LabError.missing` with `CI=true` where Tests/known-skips.txt does not have the word.
  public static func skip(for word: String) throws {
    guard isKnownSkip(word) || !everyTestMustRun else { throw LabError.missing(word) }
    try Test.cancel("needs \(word)")
  }

  private static func isKnownSkip(_ word: String) -> Bool {
    let file = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appending(path: "known-skips.txt")
    let text = (try? String(contentsOf: file, encoding: .utf8)) ?? ""
    return text.split(separator: "\n").contains { $0.split(separator: " ").first == Substring(word) }
  }

  /// Returns whether a test that needs this is to be skipped.
  ///
  /// - Throws: `LabError.missing` when it is missing and may not be.
  func isMissing() async throws -> Bool {
    if try await isAvailable() { return false }
    if isKnownSkip || !Self.everyTestMustRun { return true }
    throw LabError.missing(rawValue)
  }

  /// Skips the running test case, with its reason, where this is missing; for one row of a table.
  public func orSkip() async throws {
    if try await isMissing() { try Test.cancel("needs \(rawValue)") }
  }

  /// Whether io_uring_setup(2) gets as far as looking for its parameters, of which there are none: kernels without
  /// it and all that may forbid it (sysctl, seccomp) answer before.
  private static var hasRings: Bool {
    // The C library has no function for it, and its syscall(2) is hidden from Swift.
    typealias Call = @convention(c) (CLong, CLong, CLong) -> CLong
    guard let symbol = unsafe dlsym(nil, "syscall") else { return false }
    let call = unsafe unsafeBitCast(symbol, to: Call.self)
    let setup = 425
    return call(setup, 1, 0) < 0 && errno == EFAULT
  }

  /// Whether this process may load BPF programs that trace (CAP_BPF and CAP_PERFMON, or CAP_SYS_ADMIN), on a kernel
  /// that describes its types and is as new as `release`.
  private static func hasPrograms(from release: (Int, Int)) -> Bool {
    let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
    let line = status.split(separator: "\n").first { $0.hasPrefix("CapEff:") } ?? ""
    let own = UInt64(line.split(separator: "\t").last ?? "", radix: 16) ?? 0
    let text = (try? String(contentsOfFile: "/proc/sys/kernel/osrelease", encoding: .utf8)) ?? ""
    let numbers = text.split { !$0.isNumber }.prefix(2).compactMap { Int($0) }
    return (own >> 21 & 1 == 1 || own >> 38 & 3 == 3) && numbers.count == 2
      && (numbers[0], numbers[1]) >= release
      && FileManager.default.fileExists(atPath: "/sys/kernel/btf/vmlinux")
  }

  /// Tries it out.
  ///
  /// - Throws: `LabError.deadline` where the machine is too busy to answer.
  public func isAvailable() async throws -> Bool {
    do {
      switch self {
      case .root: return geteuid() == 0
      case .realLogs: return Self.logs != nil
      case .uring: return Self.hasRings
      case .originals:
        return FileManager.default.isExecutableFile(atPath: Program.original("connmonitor"))
      case .servers:
        return ["/usr/bin/python3", "/usr/bin/openssl"].allSatisfy(FileManager.default.isExecutableFile)
      case .calls: return Self.hasPrograms(from: (6, 3))
      case .packets: return Self.hasPrograms(from: (5, 8))
      case .sctp: return FileManager.default.fileExists(atPath: "/proc/net/sctp")
      case .nextPid: return FileManager.default.isWritableFile(atPath: "/proc/sys/kernel/ns_last_pid")
      case .cgroups:
        _ = try ControlGroup("probe-\(UInt32.random(in: 0 ... .max))")
        return true
      default: break
      }
      let namespace = try await NetworkNamespace()
      switch self {
      case .netem: try await namespace.run("tc qdisc add dev lo root netem delay 1ms")
      case .wireguard, .dummy: try await namespace.ip("link add lab0 type \(rawValue)")
      case .tap: try await namespace.ip("tuntap add dev lab0 mode tap")
      case .tun: try await namespace.ip("tuntap add dev lab0 mode tun")
      case .bridgeNetfilter: _ = try await namespace.sysctl("net.bridge.bridge-nf-call-iptables")
      case .vxlan: try await namespace.ip("link add lab0 type vxlan id 1 dstport 4789")
      case .flowtable:
        try await namespace.nft(
          "table inet lab { flowtable fast { hook ingress priority 0; devices = { lo }; }; }")
      case .root, .namespaces, .sctp, .uring, .cgroups, .nextPid, .calls, .packets, .realLogs, .originals,
        .servers:
        break
      }
      return true
    } catch let error as LabError {
      // A machine that is too busy to answer lacks nothing.
      if case .deadline = error { throw error }
      return false
    } catch { return false }
  }
}

/// Rounds of `make trials`, which look for what hangs on the order of things.
public enum Trials {
  /// The number of the round, from 1; nil in every other run of the tests.
  public static let round = ProcessInfo.processInfo.environment["BWMON_TRIAL"].flatMap { UInt64($0) }

  /// Whether this is one: only then is judged what a busy machine may lose in a single run.
  public static var isRunning: Bool { round != nil }
}

extension Trait where Self == ConditionTrait {
  /// Runs a test only where the machine has all of this.
  ///
  /// Otherwise it is skipped with that reason; with `CI=true` it fails, unless Tests/known-skips.txt lists it.
  public static func needs(_ requirements: Requirement...) -> Self {
    .enabled("needs \(requirements.map(\.rawValue).joined(separator: ", "))") {
      for requirement in requirements where try await requirement.isMissing() { return false }
      return true
    }
  }
}
