import Model
import Netfilter
import Testing

@testable import Monitors

/// A30: what carries a tunnel is left out if that is asked for, and nothing else is.
@Suite struct TunnelCarriersTests {
  /// A flow of 100 bytes, what stands around it, and whose row it has with the carriers left out.
  struct Row: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var transport = TransportProtocol.udp
    var source = "10.0.0.1:40000"
    var destination = "192.0.2.9:4789"
    /// A socket of this host and the process that holds it, 0 for none.
    var socket: (local: String, remote: String, holder: Int32)?
    var interfaces: [Interface] = [vxlan]
    var isDenied = false
    /// Nil where it is hidden.
    var owner: Owner?
    /// Whether it is the kernel's where each call of a process is reported.
    var isKernels: Bool { owner == nil || isSentUnheld }
    var isSentUnheld = false
  }

  private static let vxlan = Interface(
    index: 7, name: "tunnel0", linkType: 1, kind: "vxlan", carrierPort: 4789)
  private static let geneve = Interface(
    index: 8, name: "tunnel1", linkType: 1, kind: "geneve", carrierPort: 6081)
  private static let wireGuard = Interface(index: 9, name: "wg0", linkType: 0xfffe, kind: "wireguard")

  private static func portless(
    _ name: String, _ number: UInt8, from source: String = "10.0.0.1:0",
    to destination: String = "192.0.2.9:0",
    heldBy holder: Int32? = nil, _ owner: Owner? = nil
  ) -> Row {
    Row(
      testDescription: name, transport: TransportProtocol(rawValue: number), source: source,
      destination: destination, socket: holder.map { ("*:0", "*", $0) }, interfaces: [], owner: owner)
  }

  static let rows = [
    portless("IP in IP", 4), portless("IPv6 in IP", 41), portless("GRE", 47), portless("ESP", 50),
    portless("AH", 51),
    portless("GRE that came in", 47, from: "192.0.2.9:0", to: "10.0.0.1:0"),
    portless("GRE of a process", 47, heldBy: 4, .pid(4)),
    portless("GRE of a process that cannot be seen", 47, heldBy: 0, .unattributed(.noHolder)),
    portless("GRE that passes", 47, from: "172.30.0.2:0", .forwarded),
    portless("IGMP, no tunnel", 2, .kernel),
    portless("SCTP of nobody", 132, .unattributed(.exited)),
    Row(testDescription: "VXLAN that was sent"),
    Row(
      testDescription: "VXLAN that came in", source: "192.0.2.9:40000", destination: "10.0.0.1:4789",
      socket: ("*:4789", "*", 0)),
    Row(
      testDescription: "VXLAN that came in, where processes are hidden", source: "192.0.2.9:40000",
      destination: "10.0.0.1:4789", socket: ("*:4789", "*", 0), isDenied: true),
    Row(testDescription: "Geneve", destination: "192.0.2.9:6081", interfaces: [vxlan, geneve]),
    Row(
      testDescription: "VXLAN that passes", source: "172.30.0.2:40000", owner: .forwarded),
    Row(
      testDescription: "VXLAN whose interface is elsewhere", interfaces: [], owner: .unattributed(.exited)),
    Row(
      testDescription: "its socket, whose interface is elsewhere", source: "192.0.2.9:40000",
      destination: "10.0.0.1:4789", socket: ("*:4789", "*", 0), interfaces: [],
      owner: .unattributed(.noHolder)),
    Row(testDescription: "another port", destination: "192.0.2.9:53", owner: .unattributed(.exited)),
    Row(testDescription: "TCP to that port", transport: .tcp, owner: .unattributed(.exited)),
    Row(
      testDescription: "a process that asks that port", socket: ("10.0.0.1:40000", "192.0.2.9:4789", 4),
      owner: .pid(4)),
    Row(
      testDescription: "a process that serves that port", source: "192.0.2.9:40000",
      destination: "10.0.0.1:4789", socket: ("*:4789", "*", 4), owner: .pid(4)),
    Row(
      testDescription: "a port that nobody serves", source: "192.0.2.9:40000", destination: "10.0.0.1:4789",
      owner: .unattributed(.noSocket)),
    // A socket that no process holds is not proof of the kernel.
    Row(
      testDescription: "WireGuard, whose port nobody tells", source: "10.0.0.1:51820",
      destination: "192.0.2.9:51820", socket: ("*:51820", "*", 0), interfaces: [wireGuard],
      owner: .unattributed(.noHolder), isSentUnheld: true),
    Row(
      testDescription: "a process beside WireGuard", source: "10.0.0.1:51821", destination: "192.0.2.9:51820",
      socket: ("*:51821", "*", 4), interfaces: [wireGuard], owner: .pid(4)),
  ]

  private func tick(
    _ row: Row, _ filters: [MonitorFilter], isWitnessed: Bool = false
  ) -> (owners: [Owner: Usage], balance: Balance, readings: [Reading]) {
    var host = Scenario(filters: filters)
    host.isDenied = row.isDenied
    host.interfaces = row.interfaces
    for _ in 0..<2 where isWitnessed { host.witness.advance(by: [], network: 1, isComplete: true) }
    if let (local, remote, holder) = row.socket {
      let inode = host.socket(row.transport, local, remote, heldBy: holder)
      if holder == 0 { host.holders[inode] = [] }
    }
    host.flow(1, row.transport, row.source, row.destination, bytes: (100, 0))
    return host.tick()
  }

  @Test(arguments: rows)
  func `only a carrier is hidden, and the balance has it where it was`(row: Row) {
    let all = tick(row, [MonitorFilter()])
    let rest = tick(row, [MonitorFilter(excludesTunnels: true)])
    #expect(all.balance.hidden == .zero && all.owners.values.reduce(.zero, +) == all.balance.total)
    #expect(Array(rest.owners.keys) == [row.owner].compactMap(\.self))
    #expect(rest.owners.values.reduce(.zero, +) + rest.balance.hidden == rest.balance.total)
    var balance = rest.balance
    balance.hidden = .zero
    #expect(balance == all.balance)
  }

  /// Each call of a process would have been reported.
  @Test(arguments: rows) func `with a BPF program what no process asked for is the kernel's`(row: Row) {
    let looked = tick(row, [MonitorFilter()])
    let seen = tick(row, [MonitorFilter()], isWitnessed: true)
    #expect(Array(seen.owners.keys) == (row.isKernels ? [.kernel] : Array(looked.owners.keys)))
    #expect(seen.balance.total == looked.balance.total)
  }

  /// Calls for sockets without a peer are reported of this network namespace alone.
  @Test func `what a container sends is not the kernel's for want of a call`() {
    var host = Scenario()
    for _ in 0..<2 { host.witness.advance(by: [], network: 1, isComplete: true) }
    host.namespaces[77] = (["172.30.0.2"], [])
    host.socket(in: 77, .udp, "*:443", "*", heldBy: 0)
    if let inode = host.namespaces[77]?.sockets.first?.inode { host.holders[inode] = [] }
    host.flow(1, .udp, "172.30.0.2:443", "192.0.2.9:5000", bytes: (100, 0))
    #expect(Array(host.tick().owners.keys) == [.unattributed(.noHolder)])
  }

  /// The other end's kernel has a socket for it, or its process is shown.
  @Test(arguments: [(0, nil), (7, .pid(7))] as [(Int32, Owner?)])
  func `a carrier to another namespace of this host is hidden at both ends`(holder: Int32, owner: Owner?) {
    var host = Scenario(filters: [MonitorFilter(excludesTunnels: true)])
    host.interfaces = [Self.vxlan]
    host.namespaces[77] = (["172.30.0.2"], [])
    host.socket(in: 77, .udp, "*:4789", "*", heldBy: holder)
    if holder == 0, let inode = host.namespaces[77]?.sockets.first?.inode { host.holders[inode] = [] }
    host.flow(1, .udp, "10.0.0.1:40000", "172.30.0.2:4789", bytes: (100, 0))
    let result = host.tick()
    #expect(Array(result.owners.keys) == [owner].compactMap(\.self))
    #expect(result.owners.values.reduce(.zero, +) + result.balance.hidden == Usage(100, 100))
  }

  @Test func `a monitor that shows carriers shows them beside one that does not`() throws {
    let row = try #require(Self.rows.first)
    let result = tick(row, [MonitorFilter(excludesTunnels: true), MonitorFilter()])
    #expect(result.owners == [.kernel: Usage(0, 100)] && result.balance.hidden == .zero)
  }

  @Test(arguments: [(false, false), (false, true), (true, false), (true, true)])
  func `between two addresses of this host both filters count`(ignoresLocal: Bool, excludesTunnels: Bool) {
    var row = Self.portless("GRE", 47, to: "127.0.0.1:0")
    row.owner = ignoresLocal || excludesTunnels ? nil : .kernel
    let filter = MonitorFilter(ignoresLocal: ignoresLocal, excludesTunnels: excludesTunnels)
    let result = tick(row, [filter])
    #expect(Array(result.owners.keys) == [row.owner].compactMap(\.self))
    #expect(result.balance.total == Usage(100, 100))
  }
}
