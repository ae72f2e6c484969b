import Model
import SystemRuntime
import Netfilter
import Ownership
import Testing

@testable import Monitors

@Suite struct UncountedUsesTests {
  private static let here: UInt64 = 1
  private static let there: UInt64 = 2
  private var uncounted = UncountedUses(seed: 5)
  private let place = UncountedUses.Place(
    network: here, local: LocalAddresses([Scenario.address("10.0.0.1")]))
  private var now = Instant.now

  private func use(
    _ transport: TransportProtocol, _ local: String, _ remote: String = "*", in network: UInt64 = here,
    isKernel: Bool = false, bytes: UInt64 = 10
  ) -> WitnessReport.Use {
    WitnessReport.Use(
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

  /// What a reading says, a second after the one before. Of the flows those at `moved` have moved something, all of them
  /// unless said otherwise.
  private mutating func advance(
    by uses: [WitnessReport.Use], _ snapshot: FlowSnapshot, moved: [Int]? = nil,
    _ place: UncountedUses.Place? = nil, after seconds: Int = 1
  ) -> [WitnessReport.Use] {
    now += .seconds(seconds)
    let deltas = (moved ?? Array(snapshot.flows.indices)).map {
      FlowDelta(key: FlowKey(snapshot.flows[$0].identity, seed: 5), index: $0, original: 1, reply: 0)
    }
    return uncounted.advance(by: uses, snapshot, moved: deltas, place ?? self.place, at: now)
  }

  /// Three readings of an empty table: from then on nothing of the start is believed.
  private mutating func begin(_ snapshot: FlowSnapshot = FlowSnapshot()) {
    for _ in 0..<3 { _ = advance(by: [], snapshot, moved: []) }
  }

  @Test mutating func `what no entry has is reported with the next reading`() {
    begin()
    let uses = [use(.tcp, "10.0.0.1:80", "192.0.2.9:5000")]
    #expect(advance(by: uses, FlowSnapshot()).isEmpty)
    #expect(advance(by: [], FlowSnapshot()) == uses)
    #expect(advance(by: [], FlowSnapshot()).isEmpty)
  }

  @Test mutating func `what was used before the first reading is not reported`() {
    let uses = [use(.tcp, "10.0.0.1:80", "192.0.2.9:5000")]
    let now = UncountedUses.Place(network: Self.here, isAccounting: false, isLast: true)
    #expect(advance(by: uses, FlowSnapshot(), now).isEmpty)
    #expect(advance(by: [], FlowSnapshot(), now).isEmpty)
    #expect(advance(by: uses, FlowSnapshot(), now) == uses)
  }

  @Test mutating func `an entry that is read after its first bytes counts them`() {
    begin()
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
    begin()
    let uses = [use(.tcp, "10.0.0.1:80", "192.0.2.9:5000")]
    let early = [use(.udp, "10.0.0.1:81", "192.0.2.9:5000")]
    #expect(advance(by: early, FlowSnapshot()).isEmpty)
    let now = UncountedUses.Place(network: Self.here, isAccounting: isAccounting, isLast: isLast)
    #expect(advance(by: uses, FlowSnapshot(), now) == early + uses)
  }

  @Test mutating func `both ends, after translation too, are counted by their entry`() {
    begin()
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
    begin()
    let snapshot = FlowSnapshot(living: [
      flow(.udp, "10.0.0.1:4000", "192.0.2.9:53", isCounted: false)
    ])
    let uses = [use(.udp, "10.0.0.1:4000", "192.0.2.9:53"), use(.udp, "*:4000")]
    _ = advance(by: uses, snapshot)
    #expect(advance(by: [], snapshot) == uses)
  }

  @Test mutating func `entries that stand still from the start count nothing after two readings`() {
    let snapshot = FlowSnapshot(living: [
      flow(.udp, "192.0.2.9:5000", "10.0.0.1:53"), flow(.tcp, "192.0.2.9:5000", "10.0.0.1:80"),
      flow(.icmp, "10.0.0.1:7", "192.0.2.9:0"),
    ])
    let uses = [use(.udp, "*:53"), use(.tcp, "10.0.0.1:80", "192.0.2.9:5000"), use(.icmp, "*:0")]
    _ = advance(by: [], snapshot, moved: [])
    // It may have come just before the first reading.
    #expect(advance(by: uses, snapshot, moved: []).isEmpty)
    #expect(advance(by: [], snapshot, moved: []).isEmpty)
    #expect(advance(by: uses, snapshot, moved: []).isEmpty)
    #expect(advance(by: [], snapshot, moved: []) == uses)
    // One that moves again counts again.
    #expect(advance(by: uses, snapshot, moved: [0, 1, 2]).isEmpty)
    #expect(advance(by: uses, snapshot, moved: []).isEmpty)
  }

  @Test mutating func `a connection that rests in the table counts what is taken late`() {
    begin()
    let snapshot = FlowSnapshot(living: [flow(.tcp, "192.0.2.9:5000", "10.0.0.1:80")])
    _ = advance(by: [], snapshot)
    let uses = [use(.tcp, "10.0.0.1:80", "192.0.2.9:5000")]
    for _ in 0..<3 { #expect(advance(by: uses, snapshot, moved: [], after: 600).isEmpty) }
  }

  @Test(arguments: [([29], true), ([31, 31], false)])
  mutating func `what is taken after the entry's end was counted by it, for half a minute`(
    pauses: [Int], isCounted: Bool
  ) {
    begin()
    let entry = flow(.tcp, "192.0.2.9:5000", "10.0.0.1:80")
    let uses = [use(.tcp, "10.0.0.1:80", "192.0.2.9:5000")]
    _ = advance(by: uses, FlowSnapshot(living: [], ended: [entry]))
    for pause in pauses { _ = advance(by: [], FlowSnapshot(living: [], closedCount: 0), after: pause) }
    _ = advance(by: uses, FlowSnapshot(living: [], closedCount: 0))
    #expect(advance(by: [], FlowSnapshot(living: [], closedCount: 0)).isEmpty == isCounted)
  }

  @Test mutating func `an entry that is not listed as it has closed still counts`() {
    begin()
    let entry = flow(.tcp, "192.0.2.9:5000", "10.0.0.1:80")
    _ = advance(by: [], FlowSnapshot(living: [entry]))
    let uses = [use(.tcp, "10.0.0.1:80", "192.0.2.9:5000")]
    for _ in 0..<3 { #expect(advance(by: uses, FlowSnapshot(living: [], closedCount: 1), after: 40).isEmpty) }
    // The audit does not find it any more.
    _ = advance(by: uses, FlowSnapshot(living: []))
    #expect(advance(by: [], FlowSnapshot(living: [])) == uses)
  }

  @Test mutating func `an entry of the same ends as one that has ended counts`() {
    begin()
    let entry = flow(.tcp, "192.0.2.9:5000", "10.0.0.1:80")
    for _ in 0..<3 {
      let uses = [use(.tcp, "10.0.0.1:80", "192.0.2.9:5000")]
      #expect(advance(by: uses, FlowSnapshot(living: [entry], ended: [entry], closedCount: 0)).isEmpty)
    }
    let uses = [use(.tcp, "10.0.0.1:80", "192.0.2.9:5000")]
    let resting = FlowSnapshot(living: [entry], closedCount: 0)
    for _ in 0..<3 { #expect(advance(by: uses, resting, moved: [], after: 40).isEmpty) }
  }

  @Test mutating func `sockets without a peer are counted where an entry of this host has their port`() {
    begin()
    let snapshot = FlowSnapshot(living: [
      flow(.udp, "192.0.2.9:5000", "10.0.0.1:53"), flow(.icmp, "10.0.0.1:7", "192.0.2.9:0"),
      flow(.udp, "10.0.0.1:6000", "192.0.2.9:55"), flow(.udp, "192.0.2.9:57", "224.0.0.251:5353"),
      flow(.udp, "192.0.2.9:58", "198.51.100.1:59"),
    ])
    let counted = [use(.udp, "*:53"), use(.icmp, "*:0"), use(.udp, "*:6000"), use(.udp, "*:5353")]
    // Ports of other hosts, whom this one asks or whose packets it forwards.
    let others = [5000, 54, 55, 57, 58, 59].map { use(.udp, "*:\($0)") }
    let uses = others + [use(.udpLite, "*:53"), use(.gre, "*:0")]
    _ = advance(by: counted + uses, snapshot)
    #expect(advance(by: [], snapshot) == uses)
  }

  @Test mutating func `what moved before an address was removed is its entry's`() {
    begin()
    let snapshot = FlowSnapshot(living: [flow(.udp, "192.0.2.9:5000", "10.0.0.1:53")])
    let none = UncountedUses.Place(network: Self.here)
    #expect(advance(by: [use(.udp, "*:53")], snapshot, none).isEmpty)
    #expect(advance(by: [], snapshot, moved: [], none).isEmpty)
    // Gone for two readings, it is another host's.
    #expect(advance(by: [use(.udp, "*:54")], snapshot, none).isEmpty)
    #expect(advance(by: [], snapshot, moved: [], none) == [use(.udp, "*:54")])
  }

  @Test mutating func `a port that moves nothing any more is forgotten`() {
    begin()
    let snapshot = FlowSnapshot(living: [flow(.udp, "192.0.2.9:5000", "10.0.0.1:53")])
    _ = advance(by: [], snapshot)
    let uses = [use(.udp, "*:53")]
    #expect(advance(by: uses, snapshot, moved: [], after: 20).isEmpty)
    _ = advance(by: [], snapshot, moved: [], after: 30)
    _ = advance(by: uses, snapshot, moved: [], after: 30)
    #expect(advance(by: [], snapshot, moved: []) == uses)
  }

  @Test mutating func `packets with headers of their own may be any entry's`() {
    begin()
    let uses = [use(.raw, "*:0")]
    _ = advance(by: uses, FlowSnapshot(living: [flow(.tcp, "192.0.2.9:5000", "10.0.0.1:80")]))
    #expect(advance(by: uses, FlowSnapshot(living: [])).isEmpty)
    #expect(advance(by: [], FlowSnapshot(living: [])) == uses)
  }

  @Test mutating func `containers count only on the machine's own network, where nothing is counted`() {
    begin()
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
    begin()
    let uses = [
      use(.tcp, "10.0.0.1:80", "192.0.2.9:5000", bytes: 0), use(.icmpv6, "*:0", isKernel: true),
      use(.udp, "*:51820", isKernel: true),
    ]
    _ = advance(by: uses, FlowSnapshot())
    #expect(advance(by: [], FlowSnapshot()) == [uses[2]])
  }

  @Test(
    arguments: [
      (["10.0.0.1:80 192.0.2.9:5000"], [], 0, 10), (["*:53 *"], [], 0, 10),
      // By the veth interface in, and by a card out.
      ([], ["172.17.0.2:80 192.0.2.9:5000"], 10, 10),
      // In by one veth interface and out by the other: one container is reported as a sender only.
      ([], ["172.17.0.2:80 172.17.0.3:5000", "172.17.0.3:5000 172.17.0.2:80"], 20, 0),
      // The process of this host that is its peer has counted the veth interface.
      (["172.17.0.1:80 172.17.0.2:5000"], ["172.17.0.2:5000 10.0.0.1:80"], 0, 10),
    ] as [([String], [String], UInt64, UInt64)])
  func `what uses move passes the interfaces once for each`(
    own: [String], elsewhere: [String], received: UInt64, sent: UInt64
  ) {
    func uses(_ ends: [String], _ network: UInt64) -> [WitnessReport.Use] {
      ends.map { $0.split(separator: " ").map(String.init) }
        .map { use($0[0].hasPrefix("*") ? .udp : .tcp, $0[0], $0[1], in: network) }
    }
    let all = uses(own, Self.here) + uses(elsewhere, Self.there)
    #expect(UncountedUses.carried(by: all, place) == Usage(received, sent))
  }
}
