import Glibc
import Model
import SystemRuntime
import SystemPackage

/// Reads the sockets of this network namespace: through sock_diag(7), or from /proc/net where that is denied
/// or the kernel lacks it.
///
/// A read is a walk over a living table, not a snapshot: a socket made or closed meanwhile may be missed or
/// listed twice.
public struct SocketTable: ~Copyable {
  /// Where the sockets of a transport protocol come from.
  public enum Source: Sendable, Hashable {
    /// Neither way is there: the kernel has no such sockets, or hides them.
    case unavailable
    /// sock_diag(7).
    case netlink
    /// Text files of /proc/net: slower, and they do not show IPV6_V6ONLY.
    case procfs
  }

  /// Why sock_diag is not used, or last failed; nil while it works. That this kernel lacks it for a protocol is
  /// no failure: `source(of:)` says so.
  public private(set) var netlinkError: KernelError?
  /// Messages and lines that could not be understood, since start.
  public var malformed: UInt64 { counts.malformed }
  /// Attributes of a newer kernel than this code knows, since start.
  public var unknownAttributes: UInt64 { counts.unknownAttributes }
  /// Sockets beyond the limit, since start.
  public private(set) var dropped: UInt64 = 0

  private var counts = SocketDiagnostics.Counts()
  private var netlink: NetlinkSocket?
  private var lines = LineReader()
  private var latest: [SocketFile: Source] = [:]
  // What this kernel will not answer, by name; asking again would make it look for the module each time.
  private var refused: Set<String> = []
  private var folder: String
  private let limit: Int

  /// Prepares to read at most `limit` sockets at a time.
  ///
  /// `root` is where procfs is mounted, or /proc/PID for the network namespace of another process, which
  /// sock_diag cannot see: then pass false for `usesNetlink`.
  public init(root: String = "/proc", usesNetlink: Bool = true, limit: Int = 1_048_576) {
    folder = "\(root)/net"
    self.limit = limit
    guard usesNetlink else { return }
    do throws(KernelError) { netlink = try NetlinkSocket(.socketDiagnostics) } catch { netlinkError = error }
  }

  /// Prepares to read the network namespace that `diagnostics`, a socket of sock_diag, is in; what that does not
  /// report is read from /proc/PID as `root`, a process there.
  package init(root: String, diagnostics: consuming NetlinkSocket, limit: Int) {
    folder = "\(root)/net"
    self.limit = limit
    netlink = consume diagnostics
  }

  /// Reads from now on another process's /proc/PID what sock_diag does not report.
  package mutating func use(root: String) { folder = "\(root)/net" }

  /// Where the sockets of `transport` came from in the last read; nil when it was not asked for,
  /// or is none of those that this type knows.
  ///
  /// A protocol whose two address families come from different sources counts as read from /proc.
  public func source(of transport: TransportProtocol) -> Source? {
    let sources = (SocketFile.both(of: transport) ?? []).compactMap { latest[$0] }
    return [.procfs, .netlink, .unavailable].first(where: sources.contains)
  }

  /// Replaces `sockets` by those that carry `transports`, of both address families.
  ///
  /// Known are TCP, UDP, UDP-Lite, SCTP, DCCP, raw and ping (ICMP) sockets. `.raw` stands for all raw sockets: each
  /// comes with its own protocol and port zero, by which a raw ICMP socket is distinguished from a ping socket. Throws
  /// when a table may not be read, and when none of the tables asked for exists but those of protocols that many
  /// kernels lack.
  public mutating func read(
    _ transports: Set<TransportProtocol>, into sockets: inout [SocketEntry]
  ) throws(KernelError) {
    sockets.removeAll(keepingCapacity: true)
    latest.removeAll(keepingCapacity: true)
    let tables = transports.sorted { $0.rawValue < $1.rawValue }.compactMap(SocketFile.both).joined()
    let isTCPRead = transports.contains(.tcp) && dumpTCP(into: &sockets)
    for table in tables {
      let isRead = isTCPRead && table.transport == .tcp
      latest[table] = isRead ? .netlink : try read(table, into: &sockets)
    }
    let expected = latest.filter { !$0.key.isOptional }
    if !expected.isEmpty, expected.values.allSatisfy({ $0 == .unavailable }) {
      throw .failed("reading the sockets listed in \(folder)", .noSuchFileOrDirectory)
    }
  }

  /// Whether the kernel has the protocol of this name now.
  func isLoaded(_ transport: TransportProtocol) -> Bool {
    let name = transport == .sctp ? "SCTP " : "DCCP "
    return SmallFile.text("\(folder)/protocols")?.split(separator: "\n").contains { $0.hasPrefix(name) }
      ?? false
  }

  private mutating func read(
    _ table: SocketFile, into sockets: inout [SocketEntry]
  ) throws(KernelError) -> Source {
    // Asked for sockets of a protocol that is not loaded, the kernel would load it.
    if table.isDiagnosticsOnly {
      return isLoaded(table.transport) && dump(table, into: &sockets) ? .netlink : .unavailable
    }
    if dump(table, into: &sockets) { return .netlink }
    let path = "\(folder)/\(table.name)"
    do throws(Errno) {
      try readLines(of: table, at: path, into: &sockets)
      return .procfs
    } catch {
      switch error {
      case .noSuchFileOrDirectory: return .unavailable
      case .permissionDenied, .notPermitted: throw .notPermitted("reading \(path)")
      default: throw .failed("reading \(path)", error)
      }
    }
  }
}

extension SocketTable {
  /// Appends the TCP sockets of both families; false, and nothing appended, when the kernel does not answer.
  private mutating func dumpTCP(into sockets: inout [SocketEntry]) -> Bool {
    ask(SocketDiagnostics.requestOfBothFamilies(), about: "all TCP", of: .tcp, into: &sockets)
  }

  /// Appends the sockets of `table` from sock_diag; false, and nothing appended, when it does not answer.
  private mutating func dump(_ table: SocketFile, into sockets: inout [SocketEntry]) -> Bool {
    // Ping sockets have no diagnostics.
    if table.transport.isICMP { return false }
    let request = SocketDiagnostics.request(
      family: table.isV6 ? AF_INET6 : AF_INET, transport: table.transport)
    return ask(request, about: table.name, of: table.transport, into: &sockets)
  }

  private mutating func ask(
    _ request: NetlinkRequest, about name: String, of transport: TransportProtocol,
    into sockets: inout [SocketEntry]
  ) -> Bool {
    if refused.contains(name) { return false }
    let start = sockets.count
    var counts = counts
    var dropped: UInt64 = 0
    do throws(KernelError) {
      // Nothing is repeated on an interruption: no walk over sockets is consistent.
      let answer = try netlink?.dump(request, "asking sock_diag for \(name) sockets") { type, payload in
        guard type == SocketDiagnostics.messageType || type == SocketDiagnostics.olderMessageType,
          let entry = SocketDiagnostics.decode(payload, of: transport, counts: &counts)
        else { return }
        if sockets.count < limit { sockets.append(entry) } else { dropped += 1 }
      }
      guard let answer else { return false }
      counts.malformed += answer.malformed
      self.counts = counts
      self.dropped += dropped
      return true
    } catch {
      sockets.removeSubrange(start...)
      if !error.isMissing { netlinkError = error }
      if error.isLasting { refused.insert(name) }
      return false
    }
  }

  private mutating func readLines(
    of table: SocketFile, at path: String, into sockets: inout [SocketEntry]
  ) throws(Errno) {
    let file = try OpenFile(path)
    var isHeader = true
    var malformed: UInt64 = 0
    var dropped: UInt64 = 0
    let limit = limit
    malformed += try lines.forEachLine(of: file) { line in
      if isHeader {
        isHeader = false
      } else if let entry = table.decode(line) {
        if sockets.count < limit { sockets.append(entry) } else { dropped += 1 }
      } else {
        malformed += 1
      }
    }
    counts.malformed += malformed
    self.dropped += dropped
  }
}

extension KernelError {
  /// True when this kernel has no diagnostics for what was asked.
  fileprivate var isMissing: Bool {
    guard case .failed(_, let errno) = self else { return false }
    return errno == .noSuchFileOrDirectory || errno == .invalidArgument
  }

  /// True when the same question would get the same answer again: the kernel lacks it, or forbids it.
  fileprivate var isLasting: Bool {
    switch self {
    case .notPermitted, .unsupported: true
    default: isMissing
    }
  }
}
