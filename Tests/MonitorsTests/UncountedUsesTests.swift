import Kernel
import Model
import Testing

@testable import Monitors

@Suite struct UncountedUsesTests {
  private static let here: UInt64 = 1
  private static let there: UInt64 = 2
  private var uncounted = UncountedUses(seed: 5)
  private let place = UncountedUses.Place(network: here)

  private func use(
    _ transport: TransportProtocol, _ local: String, _ remote: String = "*", in network: UInt64 = here,
    isKernel: Bool = false, bytes: UInt64 = 10
  ) -> WitnessNews.Use {
    WitnessNews.Use(
      SocketEntry(
        transport: transport, isV6: false, local: Scenario.endpoint(local), remote: Scenario.endpoint(remote),
        inode: 7, uid: 0),
      in: network, isKernel: isKernel, by: Scenario.process(1), Usage(received: 0, sent: bytes))
  }

  private func flow(
    _ transport: TransportProtocol, _ source: String, _ destination: String, reply: (String, String)? = nil,
    isCounted: Bool = true
  ) -> Flow {
    var scenario = Scenario()
    scenario.flow(1, transport, source, destination, reply: reply, bytes: (1, 1))
    scenario.flows[0].isCounted = isCounted
    return scenario.flows[0]
  }

  /// What two readings say of `uses`, which come with the first, both readings of the same table.
  private mutating func advance(
    by uses: [WitnessNews.Use], _ snapshot: FlowSnapshot, _ place: UncountedUses.Place? = nil
  ) -> [WitnessNews.Use] {
    uncounted.advance(by: uses, snapshot, place ?? self.place)
  }

  @Test mutating func `what no entry has is told with the next reading`() {
    let uses = [use(.tcp, "10.0.0.1:80", "192.0.2.9:5000")]
    #expect(advance(by: uses, FlowSnapshot()).isEmpty)
    #expect(advance(by: [], FlowSnapshot()) == uses)
    #expect(advance(by: [], FlowSnapshot()).isEmpty)
  }

  @Test mutating func `an entry that is read after its first bytes counts them`() {
    let uses = [use(.tcp, "10.0.0.1:80", "192.0.2.9:5000")]
    #expect(advance(by: uses, FlowSnapshot()).isEmpty)
    let entry = flow(.tcp, "192.0.2.9:5000", "10.0.0.1:80")
    #expect(advance(by: [], FlowSnapshot(living: [entry])).isEmpty)
    #expect(advance(by: [], FlowSnapshot(living: [entry])).isEmpty)
  }

  @Test(arguments: [(Optional(false), false), (true, true)] as [(Bool?, Bool)])
  mutating func `nothing is waited for without accounting, or with the last reading`(
    isAccounting: Bool?, isLast: Bool
  ) {
    let uses = [use(.tcp, "10.0.0.1:80", "192.0.2.9:5000")]
    let early = [use(.udp, "10.0.0.1:81", "192.0.2.9:5000")]
    #expect(advance(by: early, FlowSnapshot()).isEmpty)
    let now = UncountedUses.Place(network: Self.here, isAccounting: isAccounting, isLast: isLast)
    #expect(advance(by: uses, FlowSnapshot(), now) == early + uses)
  }

  @Test mutating func `both ends, after translation too, are counted by their entry`() {
    let snapshot = FlowSnapshot(living: [
      flow(.tcp, "10.0.0.1:4000", "198.51.100.1:80", reply: ("10.0.0.1:8080", "10.0.0.1:4000"))
    ])
    let uses = [
      use(.tcp, "10.0.0.1:4000", "198.51.100.1:80"), use(.tcp, "10.0.0.1:8080", "10.0.0.1:4000"),
      use(.udp, "10.0.0.1:4000", "198.51.100.1:80"),
    ]
    _ = advance(by: uses, snapshot)
    #expect(advance(by: [], snapshot) == [uses[2]])
  }

  @Test mutating func `entries without counters count nothing`() {
    let snapshot = FlowSnapshot(living: [
      flow(.udp, "10.0.0.1:4000", "192.0.2.9:53", isCounted: false)
    ])
    let uses = [use(.udp, "10.0.0.1:4000", "192.0.2.9:53"), use(.udp, "*:4000")]
    _ = advance(by: uses, snapshot)
    #expect(advance(by: [], snapshot) == uses)
  }

  @Test mutating func `what is taken a moment after the entry's end was counted by it`() {
    let entry = flow(.tcp, "192.0.2.9:5000", "10.0.0.1:80")
    let uses = [use(.tcp, "10.0.0.1:80", "192.0.2.9:5000")]
    _ = advance(by: uses, FlowSnapshot(living: [], ended: [entry]))
    // The next connection of these ends may be one that is not tracked.
    for isTold in [false, false, true] {
      #expect(advance(by: uses, FlowSnapshot(living: [], closedCount: 0)).isEmpty != isTold)
    }
  }

  @Test mutating func `an entry that is not listed as it has closed still counts`() {
    let entry = flow(.tcp, "192.0.2.9:5000", "10.0.0.1:80")
    _ = advance(by: [], FlowSnapshot(living: [entry]))
    let uses = [use(.tcp, "10.0.0.1:80", "192.0.2.9:5000")]
    for _ in 0..<3 { #expect(advance(by: uses, FlowSnapshot(living: [], closedCount: 1)).isEmpty) }
    // The audit does not find it any more.
    _ = advance(by: uses, FlowSnapshot(living: []))
    #expect(advance(by: [], FlowSnapshot(living: [])) == uses)
  }

  @Test mutating func `an entry of the same ends as one that has ended counts`() {
    let entry = flow(.tcp, "192.0.2.9:5000", "10.0.0.1:80")
    for _ in 0..<3 {
      let uses = [use(.tcp, "10.0.0.1:80", "192.0.2.9:5000")]
      #expect(advance(by: uses, FlowSnapshot(living: [entry], ended: [entry], closedCount: 0)).isEmpty)
    }
  }

  @Test mutating func `sockets without a peer are counted where an entry has their port`() {
    let snapshot = FlowSnapshot(living: [
      flow(.udp, "192.0.2.9:5000", "10.0.0.1:53"), flow(.icmp, "10.0.0.1:7", "192.0.2.9:0"),
    ])
    let uses = [
      use(.udp, "*:53"), use(.udp, "*:5000"), use(.icmp, "*:0"), use(.udp, "*:54"), use(.udpLite, "*:53"),
      use(.gre, "*:0"),
    ]
    _ = advance(by: uses, snapshot)
    #expect(advance(by: [], snapshot) == [uses[3], uses[4], uses[5]])
  }

  @Test mutating func `packets with headers of their own may be any entry's`() {
    let uses = [use(.raw, "*:0")]
    _ = advance(by: uses, FlowSnapshot(living: [flow(.tcp, "192.0.2.9:5000", "10.0.0.1:80")]))
    #expect(advance(by: uses, FlowSnapshot(living: [])).isEmpty)
    #expect(advance(by: [], FlowSnapshot(living: [])) == uses)
  }

  @Test mutating func `containers count only on the machine's own network, where nothing is counted`() {
    let uses = [
      use(.tcp, "172.17.0.2:80", "192.0.2.9:5000", in: Self.there),
      use(.tcp, "127.0.0.1:80", "127.0.0.1:5000", in: Self.there),
    ]
    _ = advance(by: uses, FlowSnapshot())
    #expect(advance(by: [], FlowSnapshot()).isEmpty)
    let host = UncountedUses.Place(network: Self.here, isHost: true)
    _ = advance(by: uses, FlowSnapshot(), host)
    #expect(advance(by: [], FlowSnapshot(), host) == [uses[0]])
    let tracked = FlowSnapshot(living: [flow(.tcp, "10.0.0.1:80", "192.0.2.9:5000")])
    _ = advance(by: uses, tracked, host)
    #expect(advance(by: [], tracked, host).isEmpty)
  }

  @Test mutating func `what moved nothing, and the kernel's own packets of ICMP, are nobody's`() {
    let uses = [
      use(.tcp, "10.0.0.1:80", "192.0.2.9:5000", bytes: 0), use(.icmpv6, "*:0", isKernel: true),
      use(.udp, "*:51820", isKernel: true),
    ]
    _ = advance(by: uses, FlowSnapshot())
    #expect(advance(by: [], FlowSnapshot()) == [uses[2]])
  }
}
