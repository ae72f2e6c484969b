import SystemRuntime
import SystemPackage

/// The settings of connection tracking in this network namespace (nf_conntrack-sysctl.rst).
public enum ConntrackSettings {
  package static let directory = "/proc/sys/net/netfilter/"

  /// Whether new connections get byte counters (nf_conntrack_acct); nil where the kernel tracks nothing.
  public static func isAccounting() -> Bool? { number("nf_conntrack_acct").map { $0 != 0 } }

  /// How many connections are in the table (nf_conntrack_count).
  public static func count() -> Int? { number("nf_conntrack_count") }

  /// How many fit (nf_conntrack_max).
  public static func limit() -> Int? { number("nf_conntrack_max") }

  /// Whether new and ended connections are reported: 0 never, 1 always, 2 while somebody listens (nf_conntrack_events).
  package static func events() -> Int? { number("nf_conntrack_events") }

  private static func number(_ name: String) -> Int? {
    SmallFile.text(directory + name).flatMap { Int($0.filter(\.isNumber)) }
  }
}

/// What is read of these settings with each reading of the table. The files stay open; one that is not there, or fails, is
/// opened again the next time: the kernel's module may be loaded later, and again.
package struct ConntrackGauges: ~Copyable {
  private struct Gauge: ~Copyable {
    let path: String
    private var file: OpenFile?

    init(_ path: String) { self.path = path }

    /// The number that the file has; nil where there is none.
    mutating func read(into buffer: inout [UInt8]) -> Int? {
      if file == nil { file = try? OpenFile(path) }
      guard let count = try? file?.readAgain(into: &buffer),
        let number = Int(decimal: buffer[..<count].prefix { $0 != 0x0a })
      else {
        file = nil
        return nil
      }
      return number
    }
  }

  private var countGauge: Gauge
  private var eventsGauge: Gauge
  private var buffer = [UInt8](repeating: 0, count: 32)

  /// Makes them for the network namespace of the threads that read; `folder` is where the settings are.
  package init(in folder: String = ConntrackSettings.directory) {
    countGauge = Gauge(folder + "nf_conntrack_count")
    eventsGauge = Gauge(folder + "nf_conntrack_events")
  }

  /// As `ConntrackSettings.count()`.
  package mutating func count() -> Int? { countGauge.read(into: &buffer) }

  /// As `ConntrackSettings.events()`.
  package mutating func events() -> Int? { eventsGauge.read(into: &buffer) }
}

/// The switch of byte counters for new connections (nf_conntrack_acct), kept open so that it can be turned back
/// when files can no longer be opened to write. Needs CAP_NET_ADMIN.
package struct AccountingSwitch: ~Copyable {
  private static let path = ConntrackSettings.directory + "nf_conntrack_acct"
  private let file: FileDescriptor

  /// Opens the setting.
  package init() throws(KernelError) {
    do { file = try FileDescriptor.open(FilePath(Self.path), .writeOnly, options: .closeOnExec) } catch {
      throw Self.error(error)
    }
  }

  deinit { try? file.close() }

  /// Turns it on or off.
  package func set(_ on: Bool) throws(KernelError) {
    do { try file.writeAll(toAbsoluteOffset: 0, (on ? "1\n" : "0\n").utf8) } catch {
      throw Self.error(error)
    }
  }

  private static func error(_ error: any Error) -> KernelError {
    switch error as? Errno ?? .ioError {
    case .permissionDenied, .notPermitted: .notPermitted("writing \(path)")
    case .noSuchFileOrDirectory: .unsupported("netfilter's connection table")
    case let errno: .failed("writing \(path)", errno)
    }
  }
}
