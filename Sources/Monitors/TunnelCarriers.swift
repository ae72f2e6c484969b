import Model
import Netfilter

/// Which flows carry the tunnels of this network namespace: their inner flows are in the connection table as well.
///
/// The kernel's own tunnels only. What a process carries (OpenVPN, IPsec through UDP) is that process's. WireGuard's
/// carriers are not among them: nobody reports their ports, and a socket that no process holds may be anybody's.
public struct TunnelCarriers: Sendable {
  /// Ports of VXLAN and Geneve, reported by rtnetlink.
  private var ports: Set<UInt16> = []

  /// Without interfaces: knows the protocols that have no ports.
  public init() {}

  /// Knows the tunnels of these interfaces.
  public init(of interfaces: [Interface]) {
    ports = Set(interfaces.lazy.compactMap(\.carrierPort))
  }

  /// Whether a flow carries a tunnel if no process moved it, by the sockets that fit its ends in this network namespace.
  func mayCarry(
    _ flow: Flow, _ transport: TransportProtocol, client: SocketIndex.Match?, server: SocketIndex.Match?
  ) -> Bool {
    let (original, reply) = (flow.original, flow.reply)
    return client.map {
      mayCarry(transport, .client, local: original.source, remote: original.destination, $0)
    } ?? false
      || server.map {
        mayCarry(transport, .server, local: reply.source, remote: reply.destination, $0)
      } ?? false
  }

  /// Whether an end in this network namespace carries a tunnel if no process moved it.
  ///
  /// VXLAN and Geneve send from ports that they have no sockets for, always to the port of their kind.
  private func mayCarry(
    _ transport: TransportProtocol, _ role: FlowEnd.Role, local: Endpoint, remote: Endpoint,
    _ match: SocketIndex.Match
  ) -> Bool {
    if Self.portless.contains(transport.rawValue) { return match == .none }
    guard transport == .udp else { return false }
    return switch match {
    case .exact, .bound, .witnessed: ports.contains(local.port)
    case .none: role == .client && ports.contains(remote.port)
    case .listening, .closing, .contested: false
    }
  }

  /// IP in IP, IPv6 in IP, GRE, ESP and AH.
  private static let portless: Set<UInt8> = [4, 41, 47, 50, 51]
}

extension FlowEnd {
  /// True when it turned out to carry a tunnel: `owner` is no process, and not because there may be several.
  func isCarrier(of owner: Owner) -> Bool {
    guard mayCarryTunnel else { return false }
    return switch owner {
    case .kernel, .unattributed(.exited), .unattributed(.denied), .unattributed(.noHolder): true
    default: false
    }
  }
}
