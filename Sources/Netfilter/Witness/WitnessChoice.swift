import SystemRuntime

/// How it becomes known which process moves what.
public enum WitnessChoice: String, Sendable, Hashable, CaseIterable {
  /// The best that this kernel has and this process may use.
  case auto
  /// A BPF program that counts by call (Linux 6.3 and later).
  case calls = "bpf"
  /// A BPF program that watches packets and reads (Linux 5.8 and later).
  case packets = "bpf-5.8"
  /// None: sockets and processes are looked up once the table has a new connection.
  case lookup

  /// The programs to try, the better first.
  package var tiers: [WitnessTier] {
    switch self {
    case .auto: [.calls, .packets]
    case .calls: [.calls]
    case .packets: [.packets]
    case .lookup: []
    }
  }
}

/// Which program of a choice works on this host.
public struct WitnessProbe: Sendable, Hashable {
  /// What was wanted.
  public var choice: WitnessChoice
  /// What works; nil for none.
  public var tier: WitnessTier?
  /// Why those before it do not.
  public var failures: [WitnessError]

  /// Makes a probe's answer.
  package init(
    choice: WitnessChoice, tier: WitnessTier? = nil, failures: [WitnessError]
  ) {
    self.choice = choice
    self.tier = tier
    self.failures = failures
  }
}

/// A set of BPF programs.
public enum WitnessTier: Int32, Sendable, Hashable, CaseIterable {
  /// Counts the payload of each call, for sockets of every family.
  case calls = 1
  /// Knows who connects, receives from TCP and sends datagrams; TCP's payload is the socket's own count.
  case packets = 2

  /// As `--witness` names it.
  public var name: String {
    switch self {
    case .calls: WitnessChoice.calls.rawValue
    case .packets: WitnessChoice.packets.rawValue
    }
  }

  /// The first Linux that has all that it needs.
  var firstKernel: KernelRelease {
    switch self {
    case .calls: KernelRelease(major: 6, minor: 3)
    case .packets: KernelRelease(major: 5, minor: 8)
    }
  }
}

/// The version of a kernel, as far as it says what it can do. Distributions take features back to older ones.
package struct KernelRelease: Sendable, Hashable, Comparable, CustomStringConvertible {
  var major: Int
  var minor: Int

  package init(major: Int, minor: Int) {
    self.major = major
    self.minor = minor
  }

  /// Reads `6.1.0-28-amd64` (proc_sys_kernel(5), osrelease); nil when it starts otherwise.
  package init?(_ text: some StringProtocol) {
    let numbers = text.split(separator: ".", maxSplits: 2, omittingEmptySubsequences: false)
    guard numbers.count >= 2, let major = Int(numbers[0]),
      let minor = Int(numbers[1].prefix { $0.isASCII && $0.isNumber })
    else { return nil }
    self.init(major: major, minor: minor)
  }

  /// That of the running kernel; nil when it cannot be read.
  package static var running: KernelRelease? {
    SmallFile.text("/proc/sys/kernel/osrelease").flatMap { KernelRelease($0) }
  }

  package var description: String { "\(major).\(minor)" }

  package static func < (left: KernelRelease, right: KernelRelease) -> Bool {
    (left.major, left.minor) < (right.major, right.minor)
  }
}
