import Lab
import Testing

@testable import Netfilter

/// The running kernel's interfaces, in a network namespace of the test's own.
@Suite struct InterfaceTableTests {
  @Test(.needs(.namespaces))
  func `interfaces are reported with what they stand on`() async throws {
    let (here, there) = (try await NetworkNamespace(), try await NetworkNamespace())
    try await run("ip link add out0 netns \(here.name) type veth peer name out0 netns \(there.name)")
    try await here.ip("link add in0 type veth peer name in1")
    try await here.ip("link add br0 type bridge")
    try await here.ip("link set in0 master br0")
    let interfaces = try await here.inside { try InterfaceTable().read() }
    func named(_ name: String) throws -> Interface {
      try #require(interfaces.first { $0.name == name })
    }
    #expect(try named("lo").linkType == 772 && named("lo").kind == nil && named("lo").link == nil)
    #expect(try named("out0").kind == "veth" && named("out0").link == nil)
    #expect(try named("in0").link == named("in1").index && named("in1").link == named("in0").index)
    #expect(try named("in0").master == named("br0").index && named("in1").master == nil)
    #expect(try named("br0").kind == "bridge")
  }

  /// What the header lengths of the ledger stand on: loopback counts packets, veth frames with their 14 bytes.
  @Test(.needs(.namespaces)) func `counters grow by packets and their link headers`() async throws {
    let (here, there) = (try await NetworkNamespace(), try await NetworkNamespace())
    try await run("ip link add eth0 netns \(here.name) type veth peer name eth0 netns \(there.name)")
    for (host, number) in [(here, 1), (there, 2)] {
      // No neighbour discovery: only what the test sends.
      try await host.setSysctl("net.ipv6.conf.eth0.disable_ipv6", to: "1")
      try await host.ip("link set eth0 arp off up")
      try await host.ip("addr add 198.51.100.\(number)/24 dev eth0")
    }
    let before = try await here.inside { try InterfaceTable().read() }
    try await here.run("ping -q -c 5 -i 0.01 -s 1000 127.0.0.1")
    // Without ARP frames go to no address, and come to nobody: they are sent all the same.
    _ = try? await here.run("ping -q -c 5 -i 0.01 -W 1 -s 1000 198.51.100.2")
    let after = try await here.inside { try InterfaceTable().read() }
    for (name, type, packets, bytes) in [("lo", 772, 10, 10 * 1028), ("eth0", 1, 5, 5 * 1042)] {
      let old = try #require(before.first { $0.name == name })
      let new = try #require(after.first { $0.name == name })
      #expect(new.linkType == type)
      #expect(new.counters.sentPackets - old.counters.sentPackets == packets, "\(name)")
      #expect(new.counters.sentBytes - old.counters.sentBytes == bytes, "\(name)")
    }
  }
}
