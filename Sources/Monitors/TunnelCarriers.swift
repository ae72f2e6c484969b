import Kernel
import Model

/// Which flows carry the tunnels of this network namespace: their inner flows are in the connection table as well.
///
/// The kernel's own tunnels only. What a process carries (OpenVPN, IPsec through UDP) is that process's.
public struct TunnelCarriers: Sendable {
  /// Ports of VXLAN and Geneve, told by rtnetlink.
  private var ports: Set<UInt16> = []
  /// True where a UDP socket that no process holds must be WireGuard's, whose ports nobody tells.
  private var areUnheldSocketsCarriers = false

  /// Why bytes carry a tunnel, if no process moved them.
  public enum Ground: Sendable, Hashable {
    /// The protocol or the port says so.
    case told
    /// Their socket is nobody's who could be seen.
    case unheld
  }

  /// Without interfaces: knows the protocols that have no ports.
  public init() {}

  /// Knows the tunnels of these interfaces. With `seesHost` the processes of the whole machine are known, so that a
  /// socket without a holder is taken for the kernel's unless some may not be read. What a process holds in no
  /// descriptor of its own (io_uring's direct ones) looks the same.
  public init(of interfaces: [Interface], seesHost: Bool) {
    ports = Set(interfaces.lazy.compactMap(\.carrierPort))
    areUnheldSocketsCarriers = seesHost && interfaces.contains { $0.kind == "wireguard" }
  }

  /// Why a flow may carry a tunnel, by the sockets that fit its ends in this network namespace; nil when it does not.
  func ground(
    _ flow: Flow, _ transport: TransportProtocol, client: SocketIndex.Match?, server: SocketIndex.Match?
  ) -> Ground? {
    let (original, reply) = (flow.original, flow.reply)
    return client.flatMap {
      ground(transport, .client, local: original.source, remote: original.destination, $0)
    }
      ?? server.flatMap { ground(transport, .server, local: reply.source, remote: reply.destination, $0) }
  }

  /// Why an end in this network namespace may carry a tunnel; nil when it does not.
  ///
  /// VXLAN and Geneve send from ports that they have no sockets for, always to the port of their kind.
  func ground(
    _ transport: TransportProtocol, _ role: Claim.Role, local: Endpoint, remote: Endpoint,
    _ match: SocketIndex.Match
  ) -> Ground? {
    if Self.portless.contains(transport.rawValue) { return match == .none ? .told : nil }
    guard transport == .udp else { return nil }
    switch match {
    case .exact, .bound, .witnessed:
      if ports.contains(local.port) { return .told }
      guard areUnheldSocketsCarriers, case .bound(let sockets) = match else { return nil }
      return sockets.allSatisfy(\.local.address.isUnspecified) ? .unheld : nil
    case .none: return role == .client && ports.contains(remote.port) ? .told : nil
    case .listening, .closing, .contested: return nil
    }
  }

  /// IP in IP, IPv6 in IP, GRE, ESP and AH.
  private static let portless: Set<UInt8> = [4, 41, 47, 50, 51]
}

extension Claim {
  /// True when it turned out to carry a tunnel: `owner` is no process, and not because there may be several.
  func isCarrier(of owner: Owner) -> Bool {
    switch (tunnel, owner) {
    case (.told, .kernel), (.told, .unattributed(.exited)), (.told, .unattributed(.denied)),
      (_?, .unattributed(.noHolder)):
      true
    default: false
    }
  }
}
