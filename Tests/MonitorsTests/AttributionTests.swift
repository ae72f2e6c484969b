import Model
import SystemRuntime
import Testing

@testable import Monitors

@Suite struct AttributionTests {
  @Test func `a client's reply bytes are received`() {
    var host = Scenario()
    host.socket(.tcp, "10.0.0.1:4000", "192.0.2.9:443", heldBy: 7)
    host.flow(1, .tcp, "10.0.0.1:4000", "192.0.2.9:443", bytes: (100, 9000))
    #expect(host.tick().owners == [.pid(7): Usage(9000, 100)])
  }

  @Test func `a server's original bytes are received`() {
    var host = Scenario()
    host.socket(.tcp, "10.0.0.1:80", "192.0.2.9:5555", heldBy: 8)
    host.flow(1, .tcp, "192.0.2.9:5555", "10.0.0.1:80", bytes: (100, 9000))
    #expect(host.tick().owners == [.pid(8): Usage(100, 9000)])
  }

  @Test func `loopback is sent once and received once at each end and counted once`() {
    var host = Scenario()
    host.socket(.tcp, "127.0.0.1:4000", "127.0.0.1:80", heldBy: 7)
    host.socket(.tcp, "127.0.0.1:80", "127.0.0.1:4000", heldBy: 8)
    host.flow(1, .tcp, "127.0.0.1:4000", "127.0.0.1:80", bytes: (100, 9000))
    let result = host.tick()
    #expect(result.owners == [.pid(7): Usage(9000, 100), .pid(8): Usage(100, 9000)])
    #expect(result.balance.total == Usage(9100, 9100))
    #expect(result.balance.loopback == Usage(9100, 9100))
  }

  @Test func `a process that talks to itself has both ends`() {
    var host = Scenario()
    host.socket(.tcp, "10.0.0.1:4000", "10.0.0.1:80", heldBy: 7)
    host.socket(.tcp, "10.0.0.1:80", "10.0.0.1:4000", heldBy: 7)
    host.flow(1, .tcp, "10.0.0.1:4000", "10.0.0.1:80", bytes: (1, 2))
    #expect(host.tick().owners == [.pid(7): Usage(3, 3)])
  }

  @Test(
    arguments: [
      // Masqueraded from another address of this host: the socket has the original source.
      (
        "SNAT", "10.0.0.1:4000", "192.0.2.9:443", ("192.0.2.9:443", "203.0.113.5:61000"), "10.0.0.1:4000",
        "192.0.2.9:443", Usage(20, 10)
      ),
      // A local process whose packets are redirected to another server: its socket knows the original destination.
      (
        "DNAT of output", "10.0.0.1:4000", "192.0.2.9:80", ("198.51.100.7:8080", "10.0.0.1:4000"),
        "10.0.0.1:4000", "192.0.2.9:80", Usage(20, 10)
      ),
      // A redirected port: the server's socket has the reply's source.
      (
        "REDIRECT", "192.0.2.9:5555", "10.0.0.1:80", ("10.0.0.1:8080", "192.0.2.9:5555"), "10.0.0.1:8080",
        "192.0.2.9:5555", Usage(10, 20)
      ),
      // A transparent proxy answers for an address that is not ours.
      (
        "TPROXY", "192.0.2.9:5555", "198.51.100.7:80", ("198.51.100.7:80", "192.0.2.9:5555"),
        "198.51.100.7:80", "192.0.2.9:5555", Usage(10, 20)
      ),
    ] as [(String, String, String, (String, String), String, String, Usage)])
  func `address translation`(
    name: String, source: String, destination: String, reply: (String, String), local: String, remote: String,
    expected: Usage
  ) {
    var host = Scenario()
    host.socket(.tcp, local, remote, heldBy: 7)
    host.flow(1, .tcp, source, destination, reply: reply, bytes: (10, 20))
    #expect(host.tick().owners == [.pid(7): expected], "\(name)")
  }

  @Test func `a v4-mapped socket of IPv6 has the packets of IPv4`() {
    var host = Scenario()
    host.socket(.tcp, "[::ffff:10.0.0.1]:80", "[::ffff:192.0.2.9]:5555", heldBy: 8)
    host.flow(1, .tcp, "192.0.2.9:5555", "10.0.0.1:80", bytes: (1, 2))
    #expect(host.tick().owners == [.pid(8): Usage(1, 2)])
  }

  @Test(
    arguments: [
      (
        "connected before bound",
        [("10.0.0.1:53", "192.0.2.9:5000", 1), ("10.0.0.1:53", "*", 2), ("*:53", "*", 3)], Owner.pid(1)
      ),
      ("its own address before any", [("10.0.0.1:53", "*", 2), ("*:53", "*", 3)], .pid(2)),
      ("any of its family before any of both", [("*:53", "*", 3), ("[*]:53", "*", 4)], .pid(3)),
      ("any of both families", [("[*]:53", "*", 4)], .pid(4)),
      ("another address does not fit", [("10.0.0.2:53", "*", 5)], .unattributed(.noSocket)),
      ("another port does not fit", [("*:54", "*", 5)], .unattributed(.noSocket)),
      ("two processes share the port", [("*:53", "*", 3), ("*:53", "*", 4)], .unattributed(.ambiguous)),
      ("two sockets of one process", [("*:53", "*", 3), ("*:53", "*", 3)], .pid(3)),
    ] as [(String, [(String, String, Int32)], Owner)])
  func `UDP finds the nearest socket`(name: String, sockets: [(String, String, Int32)], owner: Owner) {
    var host = Scenario()
    for (local, remote, pid) in sockets { host.socket(.udp, local, remote, heldBy: pid) }
    host.flow(1, .udp, "192.0.2.9:5000", "10.0.0.1:53", bytes: (7, 9))
    #expect(host.tick().owners == [owner: Usage(7, 9)], "\(name)")
  }

  @Test func `an IPv6 socket that takes no IPv4 does not fit IPv4`() {
    var host = Scenario()
    host.socket(.udp, "[*]:53", v6Only: true, heldBy: 4)
    host.flow(1, .udp, "192.0.2.9:5000", "10.0.0.1:53", bytes: (7, 9))
    #expect(host.tick().owners == [.unattributed(.noSocket): Usage(7, 9)])
  }

  @Test(
    arguments: [
      ("one listener", [[Int32(3)]], Owner.pid(3)),
      ("a listener that two processes hold", [[3, 4]], .unattributed(.ambiguous)),
      ("two listeners of one port", [[3], [4]], .unattributed(.ambiguous)),
    ] as [(String, [[Int32]], Owner)])
  func `before the accepted socket is there the only listener owns the bytes`(
    name: String, listeners: [[Int32]], owner: Owner
  ) {
    var host = Scenario()
    for pids in listeners {
      let inode = host.socket(.tcp, "*:80", state: .listening)
      host.holders[inode] = pids.map(Scenario.process)
    }
    host.unaccepted("10.0.0.1:80", "192.0.2.9:5000")
    host.flow(1, .tcp, "192.0.2.9:5000", "10.0.0.1:80", bytes: (7, 9))
    #expect(host.tick().owners == [owner: Usage(7, 9)], "\(name)")
  }

  @Test func `a connection that was closed unseen is not its listener's`() {
    var host = Scenario()
    host.socket(.tcp, "*:80", state: .listening, heldBy: 3)
    host.flow(1, .tcp, "192.0.2.9:5000", "10.0.0.1:80", bytes: (7, 9))
    #expect(host.tick().owners == [.unattributed(.noSocket): Usage(7, 9)])
    host.socket(.tcp, "10.0.0.1:80", "192.0.2.9:5000", state: .closing)
    host.flow(1, .tcp, "192.0.2.9:5000", "10.0.0.1:80", bytes: (8, 10))
    #expect(host.tick().owners == [.unattributed(.noSocket): Usage(1, 1)])
  }

  @Test(arguments: [([Int32(3), 4], Owner.unattributed(.ambiguous)), ([3, 3], .pid(3))])
  func `two sockets with the same ends belong to one process or to nobody`(pids: [Int32], owner: Owner) {
    var host = Scenario()
    for pid in pids { host.socket(.udp, "10.0.0.1:7000", "192.0.2.9:9000", heldBy: pid) }
    host.flow(1, .udp, "10.0.0.1:7000", "192.0.2.9:9000", bytes: (7, 9))
    #expect(host.tick().owners == [owner: Usage(9, 7)])
  }

  @Test func `a listener on the client's own port proves nothing`() {
    var host = Scenario()
    host.socket(.tcp, "*:4000", state: .listening, heldBy: 3)
    host.flow(1, .tcp, "10.0.0.1:4000", "192.0.2.9:443", bytes: (7, 9))
    #expect(host.tick().owners == [.unattributed(.exited): Usage(9, 7)])
  }

  @Test func `the accepted socket corrects the listener`() {
    var host = Scenario()
    host.socket(.tcp, "*:80", state: .listening, heldBy: 3)
    host.unaccepted("10.0.0.1:80", "192.0.2.9:5000")
    host.flow(1, .tcp, "192.0.2.9:5000", "10.0.0.1:80", bytes: (7, 9))
    #expect(host.tick().owners == [.pid(3): Usage(7, 9)])
    host.sockets.removeLast()
    host.socket(.tcp, "10.0.0.1:80", "192.0.2.9:5000", heldBy: 5)
    host.flow(1, .tcp, "192.0.2.9:5000", "10.0.0.1:80", bytes: (8, 19))
    #expect(host.tick().owners == [.pid(5): Usage(1, 10)])
    // Closed again: the last bytes are the worker's, not the listener's.
    host.sockets.removeLast()
    host.flow(1, .tcp, "192.0.2.9:5000", "10.0.0.1:80", bytes: (9, 20))
    #expect(host.tick().owners == [.pid(5): Usage(1, 1)])
  }

  @Test func `bytes after the socket closed are still its process's`() {
    var host = Scenario()
    host.socket(.tcp, "10.0.0.1:4000", "192.0.2.9:443", heldBy: 7)
    host.flow(1, .tcp, "10.0.0.1:4000", "192.0.2.9:443", bytes: (10, 10))
    _ = host.tick()
    host.sockets = []
    host.socket(.tcp, "10.0.0.1:4000", "192.0.2.9:443", state: .closing)
    host.flow(1, .tcp, "10.0.0.1:4000", "192.0.2.9:443", bytes: (15, 16))
    #expect(host.tick().owners == [.pid(7): Usage(6, 5)])
    // The same ends in another entry are another flow: nothing is known of it.
    host.flows = []
    host.flow(2, .tcp, "10.0.0.1:4000", "192.0.2.9:443", bytes: (1, 1))
    #expect(host.tick().owners == [.unattributed(.exited): Usage(1, 1)])
  }

  @Test func `a socket that is handed on follows its holder`() {
    var host = Scenario()
    let inode = host.socket(.tcp, "10.0.0.1:4000", "192.0.2.9:443", heldBy: 7, 9)
    host.flow(1, .tcp, "10.0.0.1:4000", "192.0.2.9:443", bytes: (10, 10))
    let (owners, _, readings) = host.tick()
    #expect(owners == [.pid(7): Usage(10, 10)])
    #expect(readings.map(\.certainty) == [Certainty(isShared: true)])
    host.holders[inode] = [Scenario.process(9)]
    host.flow(1, .tcp, "10.0.0.1:4000", "192.0.2.9:443", bytes: (11, 12))
    let handed = host.tick()
    #expect(handed.owners == [.pid(9): Usage(2, 1)])
    #expect(handed.readings.map(\.certainty) == [Certainty()])
  }

  @Test(
    arguments: [
      ("routed", TransportProtocol.tcp, "172.30.0.2:4000", "192.0.2.9:443", nil),
      ("masqueraded", .tcp, "172.30.0.2:4000", "192.0.2.9:443", ("192.0.2.9:443", "10.0.0.1:61000")),
      ("published port", .tcp, "192.0.2.9:5000", "10.0.0.1:8080", ("172.30.0.2:80", "192.0.2.9:5000")),
      ("pings", .icmp, "172.30.0.2:77", "192.0.2.9:2048", ("192.0.2.9:77", "172.30.0.2:0")),
      ("IPv6", .udp, "[2001:db8::77]:4000", "[2001:db8:2::9]:443", nil),
    ] as [(String, TransportProtocol, String, String, (String, String)?)])
  func `what only passes through is forwarded`(
    name: String, transport: TransportProtocol, source: String, destination: String, reply: (String, String)?
  ) {
    var host = Scenario()
    host.socket(.icmp, "*:77", heldBy: 3)
    host.socket(.tcp, "*:443", state: .listening, heldBy: 4)
    host.flow(1, transport, source, destination, reply: reply, bytes: (10, 20))
    #expect(host.tick().owners == [.forwarded: Usage(30, 30)], "\(name)")
  }

  @Test func `multicast and broadcast reach this host, and are not its own echo`() {
    var host = Scenario()
    host.socket(.udp, "*:5353", heldBy: 3)
    host.flow(1, .udp, "10.0.0.9:5353", "224.0.0.251:5353", bytes: (10, 0))
    host.flow(2, .udp, "10.0.0.9:5353", "10.0.0.255:5353", bytes: (20, 0))
    host.flow(3, .udp, "10.0.0.1:5353", "224.0.0.251:5353", bytes: (40, 0))
    #expect(host.tick().owners == [.pid(3): Usage(30, 40)])
  }

  @Test(
    arguments: [
      ("a ping socket", [(TransportProtocol.icmp, "*:77", Int32(3))], Owner.pid(3)),
      ("the ping socket of another identifier", [(.icmp, "*:78", 3)], .unattributed(.exited)),
      ("the only raw socket", [(.icmp, "*:0", 4)], .pid(4)),
      ("a ping socket before a raw one", [(.icmp, "*:77", 3), (.icmp, "*:0", 4)], .pid(3)),
      ("two raw sockets", [(.icmp, "*:0", 4), (.icmp, "*:0", 5)], .unattributed(.ambiguous)),
      ("two raw sockets of one process", [(.icmp, "*:0", 4), (.raw, "*:0", 4)], .pid(4)),
      ("none", [], .unattributed(.exited)),
    ] as [(String, [(TransportProtocol, String, Int32)], Owner)])
  func `pings`(name: String, sockets: [(TransportProtocol, String, Int32)], owner: Owner) {
    var host = Scenario()
    for (transport, local, pid) in sockets { host.socket(transport, local, heldBy: pid) }
    host.flow(
      1, .icmp, "10.0.0.1:77", "192.0.2.9:2048", reply: ("192.0.2.9:77", "10.0.0.1:0"), bytes: (84, 84))
    #expect(host.tick().owners == [owner: Usage(84, 84)], "\(name)")
  }

  @Test func `the kernel answers pings, also its own host's`() {
    var host = Scenario()
    host.socket(.icmp, "*:77", heldBy: 3)
    host.flow(
      1, .icmp, "192.0.2.9:77", "10.0.0.1:2048", reply: ("10.0.0.1:77", "192.0.2.9:0"), bytes: (84, 80))
    host.flow(
      2, .icmp, "127.0.0.1:77", "127.0.0.1:2048", reply: ("127.0.0.1:77", "127.0.0.1:0"), bytes: (10, 9))
    #expect(host.tick().owners == [.kernel: Usage(84 + 10, 80 + 9), .pid(3): Usage(9, 10)])
  }

  @Test(arguments: [
    (TransportProtocol.gre, Owner.kernel), (TransportProtocol(rawValue: 50), .kernel),
    (.sctp, .unattributed(.exited)), (TransportProtocol(rawValue: 253), .unattributed(.exited)),
  ])
  func `protocols without a socket have a reason`(transport: TransportProtocol, owner: Owner) {
    var host = Scenario()
    host.flow(1, transport, "10.0.0.1:0", "192.0.2.9:0", bytes: (5, 6))
    #expect(host.tick().owners == [owner: Usage(6, 5)])
  }

  @Test func `an association of SCTP is whose socket it is`() {
    var host = Scenario()
    host.socket(.sctp, "10.0.0.1:4000", "192.0.2.9:5000", heldBy: 3)
    host.socket(.sctp, "*:5000", heldBy: 4)
    host.flow(1, .sctp, "10.0.0.1:4000", "192.0.2.9:5000", bytes: (5, 6))
    host.flow(2, .sctp, "192.0.2.9:4000", "10.0.0.1:5000", bytes: (7, 8))
    #expect(host.tick().owners == [.pid(3): Usage(6, 5), .pid(4): Usage(7, 8)])
  }

  @Test func `a raw socket has the packets of its protocol`() {
    var host = Scenario()
    host.socket(TransportProtocol(rawValue: 253), "*:0", heldBy: 4)
    host.flow(1, TransportProtocol(rawValue: 253), "10.0.0.1:0", "192.0.2.9:0", bytes: (102_000, 0))
    #expect(host.tick().owners == [.pid(4): Usage(0, 102_000)])
  }

  @Test func `a socket that nobody holds has no holder, however long it lives`() {
    var host = Scenario()
    host.socket(.udp, "*:4789")
    for total in [UInt64(7), 14, 21] {
      host.flow(1, .udp, "192.0.2.9:5000", "10.0.0.1:4789", bytes: (total, total))
      #expect(host.tick().owners == [.unattributed(.noHolder): Usage(7, 7)])
    }
  }

  @Test func `a process that may not be read is said to be denied, never the kernel`() {
    var host = Scenario()
    host.isDenied = true
    host.socket(.tcp, "10.0.0.1:4000", "192.0.2.9:443")
    for total in [UInt64(5), 10, 15] {
      host.flow(1, .tcp, "10.0.0.1:4000", "192.0.2.9:443", bytes: (total, total))
      #expect(host.tick().owners == [.unattributed(.denied): Usage(5, 5)])
    }
  }
}
