import SystemPackage

/// The settings of connection tracking in this network namespace (nf_conntrack-sysctl.rst).
public enum ConntrackSettings {
  private static let directory = "/proc/sys/net/netfilter/"

  /// Whether new connections get byte counters (nf_conntrack_acct); nil where the kernel tracks nothing.
  public static func isAccounting() -> Bool? { number("nf_conntrack_acct").map { $0 != 0 } }

  /// How many connections are in the table (nf_conntrack_count).
  public static func count() -> Int? { number("nf_conntrack_count") }

  /// How many fit (nf_conntrack_max).
  public static func limit() -> Int? { number("nf_conntrack_max") }

  /// Switches byte counters for new connections; needs CAP_NET_ADMIN.
  static func setAccounting(_ on: Bool) throws(KernelError) {
    let path = directory + "nf_conntrack_acct"
    do {
      let file = try FileDescriptor.open(FilePath(path), .writeOnly, options: .closeOnExec)
      try file.closeAfter { _ = try file.writeAll((on ? "1\n" : "0\n").utf8) }
    } catch {
      switch error as? Errno ?? .ioError {
      case .permissionDenied, .notPermitted: throw .notPermitted("writing \(path)")
      case .noSuchFileOrDirectory: throw .unsupported("netfilter's connection table")
      case let errno: throw .failed("writing \(path)", errno)
      }
    }
  }

  private static func number(_ name: String) -> Int? {
    SmallFile.text(directory + name).flatMap { Int($0.filter(\.isNumber)) }
  }
}
