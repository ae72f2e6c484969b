import Model
import Testing

@testable import Kernel

@Suite struct FlowRosterTests {
  private static let start = ContinuousClock.now

  private static func flow(_ id: UInt32, of host: UInt32? = nil) -> Flow {
    let client = Endpoint(address: IPAddress(v4: 0x0a00_0001 + (host ?? id)), port: 4000)
    let server = Endpoint(address: IPAddress(v4: 0x0a00_0002), port: 80)
    return Flow(
      id: id, original: FlowTuple(source: client, destination: server, transport: .tcp),
      reply: FlowTuple(source: server, destination: client, transport: .tcp), counters: FlowCounters())
  }

  private static func flows(_ ids: some Sequence<UInt32>) -> [Flow] { ids.map { flow($0) } }

  private static func heard(created: [FlowIdentity] = [], ended: [Flow] = [], losses: UInt64 = 0)
    -> FlowLog.Batch
  {
    var batch = FlowLog.Batch()
    (batch.created, batch.ended, batch.losses) = (created, ended, losses)
    return batch
  }

  @Test func `few flows are asked for, many are dumped, and a minute's audit in between`() {
    var roster = FlowRoster()
    #expect(roster.reading(at: Self.start) == .dump(.start))
    roster.replace(by: Self.flows(0..<10), for: .start, at: Self.start)
    #expect(roster.reading(at: Self.start) == .query && roster.questions.count == 10)
    roster.take(Self.heard(created: [Self.flow(77).identity], ended: [Self.flow(3)]))
    #expect(roster.questions.count == 10)
    #expect(roster.reading(at: Self.start + .seconds(59)) == .query)
    #expect(roster.reading(at: Self.start + .seconds(60)) == .dump(.audit))
    roster.take(Self.heard(created: Self.flows(100..<3000).map(\.identity)))
    #expect(roster.reading(at: Self.start) == .dump(.many))
  }

  /// The kernel may give an entry of the same ends the same identifier again.
  @Test(arguments: [
    ("+", true), ("+-", false), ("-+", true), ("-+-", false), ("+-+", true), ("-|+", true), ("+|-", false),
    ("-+|-", false), ("+-|+-|+", true),
  ])
  func `a flow that is made again lives`(news: String, lives: Bool) {
    var roster = FlowRoster()
    roster.replace(by: Self.flows([1, 2]), for: .start, at: Self.start)
    var generations = FlowGenerations()
    var waiting = FlowLog.Batch()
    for heard in news.split(separator: "|") {
      var batch = FlowLog.Batch()
      for event in heard {
        var flow = Self.flow(1)
        if event == "+" {
          generations.number(made: &flow)
          batch.created.append(flow.identity)
        } else {
          generations.number(ended: &flow)
          batch.ended.append(flow)
        }
      }
      waiting.append(batch)
    }
    roster.take(waiting)
    #expect(roster.questions.count == (lives ? 2 : 1))
  }

  /// The kernel does not tell of the end of an entry that is older than its first listener.
  @Test func `ends are asked for once, whatever is known of the entry before`() {
    var roster = FlowRoster()
    roster.replace(by: [Self.flow(1)], for: .start, at: Self.start)
    roster.take(Self.heard(created: [Self.flow(2, of: 1).identity]))
    #expect(roster.questions.count == 1)
    roster.take(Self.heard(ended: [Self.flow(1)]))
    #expect(roster.questions.count == 1)
    roster.take(Self.heard(ended: [Self.flow(2, of: 1)]))
    #expect(roster.questions.isEmpty)
  }

  @Test func `many flows are not kept, and few are again once they are few`() {
    var roster = FlowRoster()
    roster.replace(by: Self.flows(0..<5000), for: .start, at: Self.start)
    roster.take(Self.heard(created: [Self.flow(9000).identity]))
    #expect(roster.questions.isEmpty && roster.reading(at: Self.start) == .dump(.many))
    roster.replace(by: Self.flows(0..<20), for: .many, at: Self.start)
    #expect(roster.questions.count == 20 && roster.reading(at: Self.start) == .query)
  }

  private static func closed(_ ids: some Sequence<UInt32>, isCounted: Bool = true) -> [Flow] {
    ids.map {
      var flow = flow($0)
      (flow.hasClosed, flow.isCounted) = (true, isCounted)
      return flow
    }
  }

  @Test func `what has closed is not asked for again, unless its bytes are its sockets'`() {
    var roster = FlowRoster()
    roster.replace(
      by: Self.flows([1, 2]) + Self.closed(10..<20) + Self.closed([20], isCounted: false), for: .start,
      at: Self.start)
    #expect(Set(roster.asked.map(\.id)) == [1, 2, 20] && roster.closed == 10)
    // The answer of an entry that has taken the ends of another says nothing of that one.
    var other = Self.closed([7])[0]
    other.original = Self.flow(2).original
    roster.take(answers: Self.closed([1]) + [other])
    #expect(Set(roster.asked.map(\.id)) == [2, 20] && roster.closed == 11)
    roster.take(Self.heard(ended: Self.closed([1, 12]) + [Self.flow(2)]))
    #expect(Set(roster.asked.map(\.id)) == [20] && roster.closed == 9)
  }

  @Test func `as many are asked for as need not be`() {
    var roster = FlowRoster()
    roster.replace(by: Self.closed(0..<10_000), for: .start, at: Self.start)
    #expect(roster.questions.isEmpty && roster.reading(at: Self.start) == .query)
    roster.take(Self.heard(created: Self.flows(20_000..<30_000).map(\.identity)))
    #expect(roster.questions.count == 10_000 && roster.reading(at: Self.start) == .query)
    roster.take(Self.heard(created: [Self.flow(40_000).identity]))
    #expect(roster.questions.isEmpty && roster.reading(at: Self.start) == .dump(.many))
    roster.replace(by: Self.flows(0..<3_000) + Self.closed(5_000..<10_000), for: .many, at: Self.start)
    #expect(roster.questions.count == 3_000 && roster.closed == 5_000)
  }

  @Test func `an audit suspects nothing that has closed`() {
    var roster = FlowRoster()
    roster.replace(by: Self.flows([1]), for: .start, at: Self.start)
    roster.take(answers: Self.closed([1]))
    roster.replace(by: Self.closed([1]), for: .audit, at: Self.start)
    #expect(roster.takeSuspects() == 0)
  }

  @Test func `lost events are repaired by a dump`() {
    var roster = FlowRoster()
    roster.replace(by: [], for: .start, at: Self.start)
    roster.take(Self.heard(losses: 1))
    #expect(roster.reading(at: Self.start) == .dump(.loss))
    roster.replace(by: Self.flows([1, 2]), for: .loss, at: Self.start)
    #expect(roster.reading(at: Self.start) == .query && roster.questions.count == 2)
  }

  @Test func `an audit counts what no event tells of, not what is on its way`() {
    var roster = FlowRoster()
    roster.replace(by: Self.flows([1]), for: .start, at: Self.start)
    roster.replace(by: Self.flows([1, 2, 3, 4]), for: .audit, at: Self.start)
    roster.take(Self.heard(created: [Self.flow(2).identity], ended: [Self.flow(3)]))
    #expect(roster.takeSuspects() == 1)
    // Made again, and told of, while the audit was read.
    roster.replace(by: [Self.flow(1), Self.flow(5)], for: .audit, at: Self.start)
    var again = Self.flow(5).identity
    again.generation = 1
    roster.take(Self.heard(created: [again]))
    #expect(roster.takeSuspects() == 0)
  }

  @Test(
    arguments: [
      ([(0.0, 0.0)], true), ([(0.49, 0)], true), ([(0.5, 0)], false), ([(0.9, 0), (0.0, 9.9)], false),
      ([(0.9, 0), (0.0, 10)], true), ([(0.9, 0), (0.2, 8), (0.0, 12)], false),
      ([(0.9, 0), (0.2, 8), (0.0, 18)], true),
    ] as [([(Double, Double)], Bool)])
  func `a reader that falls behind is not relied on until it has kept up`(
    looks: [(fill: Double, seconds: Double)], expected: Bool
  ) {
    var watchdog = ReliabilityWatchdog()
    var answer = true
    for look in looks {
      answer = watchdog.isReliable(fill: look.fill, at: Self.start + .seconds(look.seconds))
    }
    #expect(answer == expected)
  }

  @Test func `ends are looked at again after growing waits, and then no more`() {
    var revisits = Revisits()
    var now = Self.start
    var looks = 0
    revisits.add(Self.flow(1), isClient: false, attempts: 0, at: now)
    while let due = revisits.next {
      #expect(revisits.takeNext(at: due - .microseconds(1)) == nil)
      now = due
      while let visit = revisits.takeNext(at: now) {
        looks += 1
        revisits.add(visit.flow, isClient: visit.isClient, attempts: visit.attempts + 1, at: now)
      }
    }
    #expect(looks == Revisits.delays.count && now - Self.start == .milliseconds(341))
  }

  @Test func `a socket that may be handed on is looked at three times, some of a flood not at all`() {
    let process = ProcessIdentity(pid: 10, startTime: 1)
    let seen = Revisits.Seen(
      holding: OwnerFinder.Holding(owner: process, holders: [process]), inode: 7, hasAddress: true, turn: 1)
    var revisits = Revisits()
    var waits: [Duration] = []
    revisits.add(seen, of: Self.flow(1), at: Self.start)
    while let due = revisits.next, let visit = revisits.takeNext(at: due) {
      waits.append(due - Self.start)
      revisits.add(seen, of: visit.flow, attempts: visit.attempts, at: due)
    }
    #expect(waits == [.milliseconds(4), .milliseconds(68), .milliseconds(324)])
    for id in 0..<UInt32(Revisits.capacity / 4 + 5) { revisits.add(seen, of: Self.flow(id), at: Self.start) }
    let taken = Array(sequence(state: ()) { _ in revisits.takeNext(at: Self.start + .seconds(1))?.flow.id })
    #expect(taken.count == Revisits.capacity / 4 && revisits.dropped == 0)
  }

  @Test func `a flood of ends has a bound and a count`() {
    var revisits = Revisits()
    for id in 0..<UInt32(Revisits.capacity + 5) {
      revisits.add(Self.flow(id), isClient: true, attempts: 0, at: Self.start)
    }
    #expect(revisits.dropped == 5)
    let taken = Array(sequence(state: ()) { _ in revisits.takeNext(at: Self.start + .seconds(1))?.flow.id })
    #expect(taken == Array(0..<UInt32(Revisits.capacity)))
    #expect(revisits.next == nil)
  }

  @Test func `what waits to be taken has a bound and a count`() {
    var waiting = Self.heard(created: Array(repeating: Self.flow(1).identity, count: FlowLog.capacity - 1))
    let lost = waiting.append(
      Self.heard(created: [Self.flow(2), Self.flow(3)].map(\.identity), ended: [Self.flow(4)], losses: 2))
    #expect(waiting.created.count == FlowLog.capacity - 1 && waiting.ended.map(\.id) == [4])
    #expect(lost == 2 && waiting.losses == 4)
  }
}
