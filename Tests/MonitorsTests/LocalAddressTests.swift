import Model
import Netfilter
import Testing

@testable import Monitors

/// A32: addresses of this host that come and go while we run.
@Suite struct LocalAddressTests {
  /// A server for all addresses, and a host that has one of them or not.
  private static func host(_ addresses: String...) -> Scenario {
    var host = Scenario()
    host.local = LocalAddresses(Set(addresses.map(Scenario.address)))
    host.socket(.udp, "*:53", heldBy: 3)
    return host
  }

  @Test func `an address that comes while we run is this host's at once`() {
    var host = Self.host()
    host.flow(1, .udp, "192.0.2.9:5000", "10.0.0.7:53", bytes: (10, 10))
    #expect(host.tick().owners == [.forwarded: Usage(20, 20)])
    host.local = LocalAddresses([Scenario.address("10.0.0.7")])
    host.flow(1, .udp, "192.0.2.9:5000", "10.0.0.7:53", bytes: (11, 12))
    #expect(host.tick().owners == [.pid(3): Usage(1, 2)])
  }

  @Test func `what comes for an address that is gone passes through`() {
    var host = Self.host("10.0.0.1", "10.0.0.7")
    host.flow(1, .udp, "192.0.2.9:5000", "10.0.0.7:53", bytes: (10, 10))
    #expect(host.tick().owners == [.pid(3): Usage(10, 10)])
    host.local = LocalAddresses([Scenario.address("10.0.0.1")])
    host.flow(2, .udp, "192.0.2.9:5001", "10.0.0.7:53", bytes: (100, 0))
    host.flow(3, .udp, "192.0.2.9:5002", "10.0.0.1:53", bytes: (7, 9))
    #expect(host.tick().owners == [.forwarded: Usage(100, 100), .pid(3): Usage(7, 9)])
  }

  @Test func `a host without addresses only forwards`() {
    var host = Self.host("10.0.0.7")
    host.flow(1, .udp, "192.0.2.9:5000", "10.0.0.7:53", bytes: (10, 10))
    #expect(host.tick().owners == [.pid(3): Usage(10, 10)])
    host.local = LocalAddresses([])
    host.flow(2, .udp, "192.0.2.9:5001", "10.0.0.7:53", bytes: (1, 2))
    host.flow(3, .tcp, "10.0.0.7:4000", "192.0.2.9:443", bytes: (3, 4))
    let result = host.tick()
    #expect(result.owners == [.forwarded: Usage(10, 10)])
    #expect(result.balance.attributed == .zero && result.balance.unattributedTotal == .zero)
  }
}
