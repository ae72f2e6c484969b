/// The capabilities of this process (capabilities(7)).
public enum Capabilities {
  /// One capability: its number and name.
  struct Capability: Sendable {
    let number: UInt64
    let name: String
  }

  /// What naming other users' processes needs: listing their descriptors, and reading where these lead.
  static let forProcesses = [
    Capability(number: 2, name: "CAP_DAC_READ_SEARCH"), Capability(number: 19, name: "CAP_SYS_PTRACE"),
  ]

  /// Whether this process may enter other network namespaces (setns(2)): CAP_SYS_ADMIN is in its effective set.
  public static var mayEnterNamespaces: Bool { (effectiveSet() ?? 0) & 1 << 21 != 0 }

  /// The names of those of `wanted` that are not in the effective set; all of them if that cannot be read.
  static func missing(of wanted: [Capability]) -> [String] {
    let effective = effectiveSet() ?? 0
    return wanted.filter { effective & (1 << $0.number) == 0 }.map(\.name)
  }

  private static func effectiveSet() -> UInt64? {
    SmallFile.text("/proc/self/status").flatMap { ProcessStatus.effectiveCapabilities(Array($0.utf8)[...]) }
  }
}
