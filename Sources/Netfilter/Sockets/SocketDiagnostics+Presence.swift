import Glibc
import Model

extension SocketDiagnostics {
  /// The protocols, of those asked for socket by socket, of which the kernel reports no sockets: it lacks a module, or
  /// a sandbox is in the way.
  package static func missing() -> [TransportProtocol] {
    let wanted = [TransportProtocol.tcp, .udp]
    guard var socket = try? NetlinkSocket(.socketDiagnostics) else { return wanted }
    return wanted.filter { isMissing($0, socket: &socket) }
  }

  /// True when the kernel has no diagnostics of `transport`. Asks for the sockets that are in none of the states,
  /// since for one socket the answer would be the same as that there is no such socket.
  package static func isMissing(_ transport: TransportProtocol, socket: inout NetlinkSocket) -> Bool {
    let fixed = [UInt8(AF_INET), transport.rawValue] + [UInt8](repeating: 0, count: 54)
    let request = NetlinkRequest(type: messageType, flags: NetlinkHeader.Flag.dump, fixed: fixed)
    return (try? socket.dump(request, "asking sock_diag what it knows") { _, _ in }) == nil
  }
}

extension Warning {
  /// What to say when the kernel does not report single sockets of these protocols; nil when there are none.
  package static func withoutDiagnostics(_ missing: [TransportProtocol]) -> Warning? {
    if missing.isEmpty { return nil }
    let names = missing.map { $0 == .tcp ? "TCP" : "UDP" }.joined(separator: " and ")
    let modules = missing.map { $0 == .tcp ? "tcp_diag" : "udp_diag" }.joined(separator: " ")
    return Warning(
      code: "no_socket_diagnostics",
      text:
        "the kernel does not report single \(names) sockets (sock_diag), so short-lived ones have no owner, and connections "
        + "older than accounting stay uncounted: run `modprobe -a inet_diag \(modules)`, or allow netlink's protocol 4 where a "
        + "sandbox or container forbids it.")
  }
}
