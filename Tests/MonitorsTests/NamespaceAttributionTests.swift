import Lab
import SystemRuntime
import Model
import Netfilter
import Testing

@testable import Monitors

/// Flows of containers, as the host's connection table has them. The host is 10.0.0.1.
@Suite struct NamespaceAttributionTests {
  private static let peer = "192.0.2.9:443"

  /// A host with the container 77 at 172.30.0.2.
  private static func host(_ addresses: String...) -> Scenario {
    var host = Scenario()
    host.namespaces[77] = (["172.30.0.2", "127.0.0.1"] + addresses, [])
    return host
  }

  struct Row: Sendable, CustomTestStringConvertible {
    let testDescription: String
    var transport = TransportProtocol.tcp
    /// The container's socket: its ends and state.
    var socket: (String, String, SocketEntry.State)?
    let flow: (String, String)
    var reply: (String, String)?
    let owners: [Owner: Usage]
  }

  static let rows = [
    Row(
      testDescription: "egress, masqueraded", socket: ("172.30.0.2:4000", peer, .open),
      flow: ("172.30.0.2:4000", peer), reply: (peer, "10.0.0.1:61000"), owners: [.pid(7): Usage(20, 10)]),
    Row(
      testDescription: "egress, routed", socket: ("172.30.0.2:4000", peer, .open),
      flow: ("172.30.0.2:4000", peer), owners: [.pid(7): Usage(20, 10)]),
    Row(
      testDescription: "published port", socket: ("172.30.0.2:80", "192.0.2.9:5000", .open),
      flow: ("192.0.2.9:5000", "10.0.0.1:8080"), reply: ("172.30.0.2:80", "192.0.2.9:5000"),
      owners: [.pid(7): Usage(10, 20)]),
    Row(
      testDescription: "published port, closed unseen", socket: ("*:80", "*", .listening),
      flow: ("192.0.2.9:5000", "10.0.0.1:8080"), reply: ("172.30.0.2:80", "192.0.2.9:5000"),
      owners: [.unattributed(.noSocket): Usage(10, 20)]),
    Row(
      testDescription: "hairpin: published port, source translated as well",
      socket: ("172.30.0.2:80", "172.30.0.1:61000", .open), flow: ("172.30.0.9:5000", "10.0.0.1:8080"),
      reply: ("172.30.0.2:80", "172.30.0.1:61000"), owners: [.pid(7): Usage(10, 20)]),
    Row(
      testDescription: "UDP server bound to any address", transport: .udp, socket: ("*:53", "*", .open),
      flow: ("192.0.2.9:5000", "172.30.0.2:53"), owners: [.pid(7): Usage(10, 20)]),
    Row(
      testDescription: "unconnected UDP client", transport: .udp, socket: ("*:4000", "*", .open),
      flow: ("172.30.0.2:4000", "192.0.2.9:53"), owners: [.pid(7): Usage(20, 10)]),
    Row(
      testDescription: "a listener on a client's port proves nothing", socket: ("*:4000", "*", .listening),
      flow: ("172.30.0.2:4000", peer), owners: [.unattributed(.exited): Usage(20, 10)]),
    Row(
      testDescription: "another port", socket: ("172.30.0.2:4001", peer, .open),
      flow: ("172.30.0.2:4000", peer), owners: [.unattributed(.exited): Usage(20, 10)]),
    Row(
      testDescription: "no server", socket: nil, flow: ("192.0.2.9:5000", "172.30.0.2:80"),
      owners: [.unattributed(.noSocket): Usage(10, 20)]),
    Row(
      testDescription: "a ping from inside", transport: .icmp, socket: ("172.30.0.2:9", "*", .open),
      flow: ("172.30.0.2:9", "192.0.2.9:2048"), reply: ("192.0.2.9:9", "172.30.0.2:0"),
      owners: [.pid(7): Usage(20, 10)]),
    Row(
      testDescription: "a ping to it is answered by the kernel", transport: .icmp,
      socket: ("172.30.0.2:9", "*", .open), flow: ("192.0.2.9:9", "172.30.0.2:2048"),
      reply: ("172.30.0.2:9", "192.0.2.9:0"), owners: [.kernel: Usage(10, 20)]),
    // A28: nobody's address here.
    Row(
      testDescription: "a virtual machine", socket: ("*:4000", "*", .open), flow: ("172.30.0.3:4000", peer),
      owners: [.forwarded: Usage(30, 30)]),
    Row(
      testDescription: "an exact socket of an address that the namespace has not",
      socket: ("172.30.0.3:4000", peer, .open), flow: ("172.30.0.3:4000", peer),
      owners: [.forwarded: Usage(30, 30)]),
    Row(
      testDescription: "IPv6", socket: ("[2001:db8:7::2]:4000", "[2001:db8:9::9]:443", .open),
      flow: ("[2001:db8:7::2]:4000", "[2001:db8:9::9]:443"), owners: [.pid(7): Usage(20, 10)]),
    Row(
      testDescription: "another host whose address an isolated namespace has, too", socket: nil,
      flow: ("10.0.0.1:4000", "172.30.0.2:443"), owners: [.unattributed(.exited): Usage(20, 10)]),
    Row(
      testDescription: "a closed socket is a proof", socket: ("172.30.0.2:443", "10.0.0.1:4000", .closing),
      flow: ("10.0.0.1:4000", "172.30.0.2:443"),
      owners: [.unattributed(.exited): Usage(20, 10), .unattributed(.noSocket): Usage(10, 20)]),
    // The container's loopback is not the host's.
    Row(
      testDescription: "the host's loopback", socket: ("127.0.0.1:4000", "127.0.0.1:80", .open),
      flow: ("127.0.0.1:4000", "127.0.0.1:80"),
      owners: [.unattributed(.exited): Usage(20, 10), .unattributed(.noSocket): Usage(10, 20)]),
  ]

  @Test(arguments: rows) func `an end in another namespace`(row: Row) {
    var host = Self.host("2001:db8:7::2")
    if let (local, remote, state) = row.socket {
      host.socket(in: 77, row.transport, local, remote, state: state, heldBy: 7)
    }
    host.flow(1, row.transport, row.flow.0, row.flow.1, reply: row.reply, bytes: (10, 20))
    let result = host.tick()
    #expect(result.owners == row.owners)
    #expect(result.balance.total == row.owners.values.reduce(.zero, +))
  }

  @Test(arguments: [true, false])
  func `who is found is relaxed while a namespace could not be asked, who is here is not`(areAllKnown: Bool) {
    var host = Self.host()
    host.areAllNamespacesKnown = areAllKnown
    host.socket(in: 77, .tcp, "172.30.0.2:4000", "10.0.0.1:80", heldBy: 7)
    host.socket(.tcp, "10.0.0.1:80", "172.30.0.2:4000", heldBy: 3)
    host.flow(1, .tcp, "172.30.0.2:4000", "10.0.0.1:80", bytes: (10, 20))
    let result = host.tick()
    #expect(result.owners == [.pid(7): Usage(20, 10), .pid(3): Usage(10, 20)])
    for reading in result.readings {
      let isHere = reading.owner == .process(Scenario.process(3))
      #expect(reading.certainty.match == (isHere || areAllKnown ? .exact : .relaxed))
    }
  }

  @Test func `a container that talks to the host is an end of this host like any other`() {
    var host = Self.host()
    host.socket(in: 77, .tcp, "172.30.0.2:4000", "10.0.0.1:80", heldBy: 7)
    host.socket(.tcp, "10.0.0.1:80", "172.30.0.2:4000", heldBy: 3)
    host.flow(1, .tcp, "172.30.0.2:4000", "10.0.0.1:80", bytes: (10, 20))
    let result = host.tick()
    #expect(result.owners == [.pid(7): Usage(20, 10), .pid(3): Usage(10, 20)])
    #expect(result.balance.loopback == Usage(30, 30))
  }

  @Test func `two containers behind two addresses each have their own`() {
    var host = Self.host()
    host.namespaces[78] = (["172.30.0.3"], [])
    host.socket(in: 77, .tcp, "172.30.0.2:4000", "172.30.0.3:80", heldBy: 7)
    host.socket(in: 78, .tcp, "172.30.0.3:80", "172.30.0.2:4000", heldBy: 8)
    host.flow(1, .tcp, "172.30.0.2:4000", "172.30.0.3:80", bytes: (10, 20))
    #expect(host.tick().owners == [.pid(7): Usage(20, 10), .pid(8): Usage(10, 20)])
  }

  /// A29: namespaces 77 and 78 have the same address.
  @Test(
    arguments: [
      ("equal sockets", ("172.30.0.2:80", "192.0.2.9:5000"), ("172.30.0.2:80", "192.0.2.9:5000"), nil),
      ("one is exact", ("172.30.0.2:80", "192.0.2.9:5000"), ("*:80", "*"), 7),
      ("the other is exact", ("*:80", "*"), ("172.30.0.2:80", "192.0.2.9:5000"), 8),
      ("both are bound", ("*:80", "*"), ("172.30.0.2:80", "*"), nil),
      ("one is bound", ("*:81", "*"), ("*:80", "*"), 8),
      ("another peer", ("172.30.0.2:80", "192.0.2.9:5001"), ("172.30.0.2:80", "192.0.2.9:5000"), 8),
    ] as [(String, (String, String), (String, String), Int32?)])
  func `twins never mix`(name: String, one: (String, String), other: (String, String), owner: Int32?) {
    var host = Self.host()
    host.namespaces[78] = (["172.30.0.2"], [])
    host.socket(in: 77, .udp, one.0, one.1, heldBy: 7)
    host.socket(in: 78, .udp, other.0, other.1, heldBy: 8)
    host.flow(1, .udp, "192.0.2.9:5000", "172.30.0.2:80", bytes: (10, 20))
    let expected = owner.map(Owner.pid) ?? .unattributed(.ambiguous)
    #expect(host.tick().owners == [expected: Usage(10, 20)], "\(name)")
  }

  @Test func `twins without a socket are no guess either`() {
    var host = Self.host()
    host.namespaces[78] = (["172.30.0.2"], [])
    host.flow(1, .tcp, "172.30.0.2:4000", Self.peer, bytes: (10, 20))
    #expect(host.tick().owners == [.unattributed(.exited): Usage(20, 10)])
  }

  @Test func `an address of the host itself is never looked for elsewhere`() {
    var host = Self.host("10.0.0.1")
    host.socket(in: 77, .tcp, "10.0.0.1:4000", Self.peer, heldBy: 7)
    host.flow(1, .tcp, "10.0.0.1:4000", Self.peer, bytes: (10, 20))
    #expect(host.tick().owners == [.unattributed(.exited): Usage(20, 10)])
  }

  @Test func `a flow outlives the namespace of its process`() {
    var host = Self.host()
    host.socket(in: 77, .tcp, "172.30.0.2:4000", Self.peer, heldBy: 7)
    host.flow(1, .tcp, "172.30.0.2:4000", Self.peer, bytes: (10, 20))
    host.flow(2, .tcp, "172.30.0.2:4001", Self.peer, bytes: (1, 1))
    #expect(host.tick().owners == [.pid(7): Usage(20, 10), .unattributed(.exited): Usage(1, 1)])
    host.namespaces = [:]
    host.flow(1, .tcp, "172.30.0.2:4000", Self.peer, bytes: (11, 22))
    host.flow(2, .tcp, "172.30.0.2:4001", Self.peer, bytes: (2, 2))
    #expect(host.tick().owners == [.pid(7): Usage(2, 1), .forwarded: Usage(2, 2)])
    // The same ends in another entry are another flow.
    host.flow(1, .tcp, "172.30.0.2:4000", Self.peer, bytes: (11, 22))
    host.flow(3, .tcp, "172.30.0.2:4000", Self.peer, bytes: (5, 5))
    #expect(host.tick().owners == [.forwarded: Usage(10, 10)])
  }

  @Test func `only the namespaces that may be concerned are asked for their sockets`() {
    var host = Self.host("10.0.0.1")
    host.namespaces[78] = (["172.30.0.3"], [])
    host.flow(1, .tcp, "10.0.0.1:4000", Self.peer, bytes: (1, 1))
    host.flow(
      2, .tcp, "192.0.2.9:5000", "10.0.0.1:8080", reply: ("172.30.0.3:80", "192.0.2.9:5000"), bytes: (1, 1))
    let index = NamespaceIndex(
      host.namespaces.mapValues { LocalAddresses($0.addresses.map(Scenario.address)) })
    var ledger = FlowLedger(seed: 1)
    let deltas = ledger.advance(to: FlowSnapshot(living: host.flows), at: .now).deltas
    #expect(index.concerned(by: deltas, in: host.flows, local: host.local) == [78])
    #expect(NamespaceIndex().concerned(by: deltas, in: host.flows, local: host.local) == [])
  }

  /// Law 1, with containers some of which share addresses, some of whose processes may not be read.
  @Test(arguments: 0..<50) func `no byte is lost or counted twice`(seed: UInt64) {
    var generator = SplitMix64(seed: seed)
    var host = Scenario()
    host.namespaces = [
      77: (["172.30.0.2"], []), 78: (["172.30.0.3"], []), 79: (["172.30.0.3"], []),
    ]
    let ends = ["192.0.2.9", "172.30.0.2", "172.30.0.3", "172.30.0.4"]
    func isHere(_ end: String) -> Bool { end == ends[1] || end == ends[2] }
    var totals: [UInt32: (source: String, destination: String, original: UInt64, reply: UInt64)] = [:]
    for _ in 0..<10 {
      host.isDenied = Bool.random(using: &generator)
      var expected = Usage.zero
      for id in UInt32(1)...20 where Bool.random(using: &generator) {
        var flow =
          totals[id]
          ?? (
            ends.randomElement(using: &generator) ?? "", ends.randomElement(using: &generator) ?? "", 0, 0
          )
        let moved = Usage(
          UInt64.random(in: 0...900, using: &generator), UInt64.random(in: 0...900, using: &generator))
        flow.original += moved.sent
        flow.reply += moved.received
        totals[id] = flow
        if isHere(flow.source) { expected += moved }
        if isHere(flow.destination) { expected += moved.reversed }
        if !isHere(flow.source) && !isHere(flow.destination) { expected += moved + moved.reversed }
        let (source, destination) = ("\(flow.source):\(4000 + id)", "\(flow.destination):80")
        if Bool.random(using: &generator) {
          host.socket(
            in: UInt64.random(in: 77...79, using: &generator), .tcp, source, destination,
            heldBy: Int32.random(in: 1...6, using: &generator))
        }
        if Bool.random(using: &generator) {
          host.socket(
            in: UInt64.random(in: 77...79, using: &generator), .tcp, destination, source,
            heldBy: Int32.random(in: 1...6, using: &generator))
        }
        host.flow(id, .tcp, source, destination, bytes: (flow.original, flow.reply))
      }
      let result = host.tick()
      #expect(result.balance.total == expected)
      #expect(result.owners.values.reduce(.zero, +) == expected)
    }
  }
}
