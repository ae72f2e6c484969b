import Model
import Ownership
import Testing

@testable import Monitors

@Suite struct WitnessIndexTests {
  private static let here: UInt64 = 1
  private static let there: UInt64 = 2
  private let first = ProcessIdentity(pid: 10, startTime: 100)
  private let second = ProcessIdentity(pid: 20, startTime: 200)

  private func index(_ latest: [WitnessReport.Use], before: [WitnessReport.Use] = []) -> WitnessIndex {
    var index = WitnessIndex()
    index.advance(by: before, network: Self.here, isComplete: true)
    index.advance(by: latest, network: Self.here, isComplete: true)
    return index
  }

  private func use(
    _ transport: TransportProtocol, _ local: String, _ remote: String = "*", by process: ProcessIdentity,
    _ received: UInt64 = 0, _ sent: UInt64 = 0, in network: UInt64 = here, isKernel: Bool = false
  ) -> WitnessReport.Use {
    WitnessReport.Use(
      SocketEntry(
        transport: transport, isV6: false, local: Scenario.endpoint(local), remote: Scenario.endpoint(remote),
        inode: 7, uid: 0),
      in: network, isKernel: isKernel, by: process, Usage(received: received, sent: sent))
  }

  private func shares(
    _ index: WitnessIndex, _ local: String, _ remote: String, _ transport: TransportProtocol = .tcp
  )
    -> [ProcessIdentity: Usage]?
  {
    index.users(transport, local: Scenario.endpoint(local), remote: Scenario.endpoint(remote)).map {
      Dictionary(uniqueKeysWithValues: $0.shares.map { ($0.process, $0.usage) })
    }
  }

  @Test func `an end belongs to those who used its socket`() {
    let index = index(
      [
        use(.tcp, "10.0.0.1:80", "192.0.2.9:5000", by: first, 10, 100),
        use(.tcp, "10.0.0.1:80", "192.0.2.9:5000", by: second, 1, 300),
        use(.tcp, "10.0.0.1:80", "192.0.2.9:5000", by: first, 5, 0),
      ])
    #expect(
      shares(index, "10.0.0.1:80", "192.0.2.9:5000") == [
        first: Usage(received: 15, sent: 100), second: Usage(received: 1, sent: 300),
      ])
    #expect(shares(index, "10.0.0.1:80", "192.0.2.9:5001") == nil)
    #expect(shares(index, "10.0.0.1:80", "192.0.2.9:5000", .udp) == nil)
  }

  @Test func `an interval before counts only where this one tells nothing`() {
    let index = index(
      [use(.tcp, "10.0.0.1:80", "192.0.2.9:5000", by: first, 1, 1)],
      before: [
        use(.tcp, "10.0.0.1:80", "192.0.2.9:5000", by: second, 9, 9),
        use(.tcp, "10.0.0.1:80", "192.0.2.9:5001", by: second, 4, 4),
        use(.tcp, "10.0.0.1:80", "192.0.2.9:5001", by: second, 4, 4),
      ])
    #expect(shares(index, "10.0.0.1:80", "192.0.2.9:5000") == [first: Usage(received: 1, sent: 1)])
    #expect(shares(index, "10.0.0.1:80", "192.0.2.9:5001") == [second: Usage(received: 8, sent: 8)])
  }

  @Test func `sockets without a peer take what comes to their port, together`() {
    let index = index(
      [
        use(.udp, "*:53", by: first, 100, 10), use(.udp, "*:53", by: second, 300, 30),
        use(.udp, "10.0.0.1:53", by: second, 1, 1),
      ])
    #expect(shares(index, "10.0.0.1:53", "192.0.2.9:5000", .udp) == [second: Usage(received: 1, sent: 1)])
    #expect(shares(index, "10.0.0.2:53", "192.0.2.9:5000", .udp)?.count == 2)
  }

  @Test func `what the kernel sends of a process is the process's`() {
    let mixed = [
      use(.tcp, "10.0.0.1:80", "192.0.2.9:5000", by: first, 1, 100),
      use(.tcp, "10.0.0.1:80", "192.0.2.9:5000", by: second, 0, 900, isKernel: true),
      use(.udp, "*:53", by: second, 0, 900, isKernel: true), use(.udp, "*:53", by: first, 1, 2),
    ]
    let alone = mixed.filter(\.isKernel)
    let ofProcess = Usage(received: 1, sent: 100)
    for index in [index(mixed), index(alone, before: mixed)] {
      #expect(shares(index, "10.0.0.1:80", "192.0.2.9:5000") == [first: ofProcess])
      #expect(shares(index, "10.0.0.1:53", "192.0.2.9:5000", .udp) == [first: Usage(received: 1, sent: 2)])
    }
    let index = index(alone)
    #expect(
      index.users(.tcp, local: Scenario.endpoint("10.0.0.1:80"), remote: Scenario.endpoint("192.0.2.9:5000"))?
        .isKernel == true)
  }

  @Test func `the kernel's own socket of ICMP takes nobody's packets`() {
    let index = index([
      use(.icmpv6, "*:0", by: first, 0, 64), use(.icmpv6, "*:0", by: second, 0, 90, isKernel: true),
    ])
    #expect(shares(index, "10.0.0.1:0", "192.0.2.9:0", .icmpv6) == [first: Usage(received: 0, sent: 64)])
    let kernel = self.index([use(.icmpv6, "*:0", by: second, 0, 90, isKernel: true)])
    #expect(shares(kernel, "10.0.0.1:0", "192.0.2.9:0", .icmpv6) == nil)
  }

  @Test func `in other network namespaces a socket needs both ends`() {
    let index = index(
      [
        use(.tcp, "172.17.0.2:80", "192.0.2.9:5000", by: first, in: Self.there),
        use(.udp, "*:53", by: second, in: Self.there),
        use(.tcp, "127.0.0.1:80", "127.0.0.1:5000", by: second, in: Self.there),
      ])
    func elsewhere(_ transport: TransportProtocol, _ local: String, _ remote: String) -> ProcessIdentity? {
      index.usersElsewhere(transport, local: Scenario.endpoint(local), remote: Scenario.endpoint(remote))?
        .principal
    }
    #expect(elsewhere(.tcp, "172.17.0.2:80", "192.0.2.9:5000") == first)
    #expect(elsewhere(.udp, "198.51.100.1:53", "10.0.0.1:5000") == nil)
    #expect(elsewhere(.tcp, "127.0.0.1:80", "127.0.0.1:5000") == nil)
    #expect(shares(index, "172.17.0.2:80", "192.0.2.9:5000") == nil)
  }

  @Test func `bytes are divided by payload, whole, and all of them`() {
    var users = WitnessedUsers(use(.tcp, "10.0.0.1:80", "192.0.2.9:1", by: first, 0, 70))
    users.add(use(.tcp, "10.0.0.1:80", "192.0.2.9:1", by: second, 0, 30))
    let split = users.split(Usage(received: 10, sent: 1001))
    #expect(
      split == [
        .init(process: first, usage: Usage(received: 7, sent: 701)),
        .init(process: second, usage: Usage(received: 3, sent: 300)),
      ])
    #expect(users.principal == first)
  }

  @Test(
    arguments: [
      (0, [1, 1], [0, 0]), (10, [0, 0], [10, 0]), (10, [1, 1, 1], [4, 3, 3]), (1, [1, 2], [0, 1]),
      (100, [1, 0, 3], [25, 0, 75]), (5, [7], [5]),
    ] as [(UInt64, [UInt64], [UInt64])])
  func `a total is divided with the largest remainders first`(
    total: UInt64, weights: [UInt64], parts: [UInt64]
  ) {
    #expect(WitnessedUsers.divide(total, weights) == parts)
  }

  @Test func `no number is too large to be divided`() {
    let parts = WitnessedUsers.divide(.max, [1 << 60, 3 << 60, 1 << 60])
    #expect(parts.reduce(0, +) == .max && parts[0] == parts[2] || parts[0] == parts[2] + 1)
  }
}
