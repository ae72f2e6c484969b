/// The hosts of the laboratory: A and B on one wire, and if wanted C on another behind B, which forwards.
///
/// ```
/// A eth0 10.77.1.1, fd77::1 --- 10.77.1.2, fd77::2 eth0 B eth1 10.77.2.1 --- 10.77.2.2 eth0 C
/// ```
public struct Topology: Sendable {
  /// The host under observation.
  public let a: NetworkNamespace
  /// Its neighbour.
  public let b: NetworkNamespace
  /// The host behind B.
  public let c: NetworkNamespace?

  /// All addresses of A.
  public static let addressesOfA: Set = ["10.77.1.1", "fd77::1", "127.0.0.1", "::1"]
  /// All addresses of B.
  public static let addressesOfB: Set = ["10.77.1.2", "fd77::2", "10.77.2.1", "127.0.0.1", "::1"]

  /// Makes the namespaces and the wires between them.
  ///
  /// - Parameter withC: Whether there is a third host.
  public init(withC: Bool = false) async throws {
    a = try await NetworkNamespace()
    b = try await NetworkNamespace()
    c = withC ? try await NetworkNamespace() : nil
    try await Self.connect(a, "eth0", b, "eth0")
    for (host, number) in [(a, 1), (b, 2)] {
      try await host.ip("addr add 10.77.1.\(number)/24 dev eth0")
      try await host.ip("addr add fd77::\(number)/64 dev eth0 nodad")
    }
    guard let c else { return }
    try await Self.connect(b, "eth1", c, "eth0")
    try await b.ip("addr add 10.77.2.1/24 dev eth1")
    try await c.ip("addr add 10.77.2.2/24 dev eth0")
    try await a.ip("route add default via 10.77.1.2")
    try await c.ip("route add default via 10.77.2.1")
    try await b.setSysctl("net.ipv4.ip_forward", to: "1")
  }

  /// What A's flows have moved, once nothing moves any more.
  public func viewOfA() async throws -> HostView {
    HostView(try await quietConnections(), addresses: Self.addressesOfA)
  }

  /// The connection table of A or of another host, once nothing moves any more and all that has come is read: a reader
  /// that is late opens its window by one more packet.
  public func quietConnections(of host: NetworkNamespace? = nil) async throws -> [ConntrackEntry] {
    for host in [a, b, c].compactMap(\.self) { try await host.waitUntilRead() }
    return try await (host ?? a).quietConnections()
  }

  /// Empties a host's connection table, once what a test before has left behind is closed at both ends: its last packet
  /// would be a flow of its own. What somebody keeps open is not waited for longer than ten seconds.
  public func forgetConnections(of host: NetworkNamespace) async throws {
    let states = ["established", "fin-wait-1", "fin-wait-2", "close-wait", "last-ack", "closing"]
    for host in [a, b, c].compactMap(\.self) {
      try? await eventually("no connection", within: .seconds(10)) {
        try await host.run(["ss", "-Htn"] + states.flatMap { ["state", $0] }).isEmpty ? () : nil
      }
    }
    try await host.forgetConnections()
  }

  /// Puts a wire between two namespaces.
  public static func connect(
    _ left: NetworkNamespace, _ leftName: String, _ right: NetworkNamespace, _ rightName: String
  ) async throws {
    try await run(
      "ip link add \(leftName) netns \(left.name) type veth peer name \(rightName) netns \(right.name)")
    try await left.ip("link set \(leftName) up")
    try await right.ip("link set \(rightName) up")
  }
}
