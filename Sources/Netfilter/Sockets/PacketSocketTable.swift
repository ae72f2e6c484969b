import SystemRuntime
import SystemPackage

/// Reads the packet sockets of this network namespace: through sock_diag(7), or from /proc/net/packet where the
/// kernel lacks it or forbids it.
public struct PacketSocketTable: ~Copyable {
  /// Messages and lines that could not be understood, since start.
  public private(set) var malformed: UInt64 = 0
  /// Sockets beyond the limit, since start.
  public private(set) var dropped: UInt64 = 0

  private var netlink: NetlinkSocket?
  private var lines = LineReader()
  private let path: String
  private let limit: Int

  /// Prepares to read at most `limit` sockets at a time. `root` is where procfs is mounted.
  public init(root: String = "/proc", usesNetlink: Bool = true, limit: Int = 4096) {
    path = "\(root)/net/packet"
    self.limit = limit
    if usesNetlink { netlink = try? NetlinkSocket(.socketDiagnostics) }
  }

  /// Returns the sockets as they are now; none where neither way is there, as no kernel without packet sockets
  /// has them.
  public mutating func read() -> [PacketSocket] {
    var sockets: [PacketSocket] = []
    if dump(into: &sockets) { return sockets }
    // Asking again would make the kernel look for the module each time.
    netlink = nil
    sockets.removeAll()
    guard let file = try? OpenFile(path) else { return [] }
    var isHeader = true
    var (broken, left) = (UInt64(0), UInt64(0))
    let limit = limit
    broken +=
      (try? lines.forEachLine(of: file) { line in
        if isHeader {
          isHeader = false
        } else if let socket = PacketDiagnostics.decode(line) {
          if sockets.count < limit { sockets.append(socket) } else { left += 1 }
        } else {
          broken += 1
        }
      }) ?? 1
    malformed += broken
    dropped += left
    return sockets
  }

  /// Appends what sock_diag reports; false when it does not answer.
  private mutating func dump(into sockets: inout [PacketSocket]) -> Bool {
    var (broken, left) = (UInt64(0), UInt64(0))
    let limit = limit
    let answer = try? netlink?.dump(PacketDiagnostics.request, "asking sock_diag for packet sockets") {
      type, payload in
      guard type == SocketDiagnostics.messageType,
        let socket = PacketDiagnostics.decode(payload, malformed: &broken)
      else { return }
      if sockets.count < limit { sockets.append(socket) } else { left += 1 }
    }
    guard let answer else { return false }
    malformed += broken + answer.malformed
    dropped += left
    return true
  }
}
