import Model
import SystemRuntime
import Testing

@testable import Ownership

@Suite struct LiveFlowSetTests {
  private static let start = Instant.now

  private static func flow(_ id: UInt32, of host: UInt32? = nil) -> Flow {
    let client = Endpoint(address: IPAddress(v4: 0x0a00_0001 + (host ?? id)), port: 4000)
    let server = Endpoint(address: IPAddress(v4: 0x0a00_0002), port: 80)
    return Flow(
      id: id, original: FlowTuple(source: client, destination: server, transport: .tcp),
      reply: FlowTuple(source: server, destination: client, transport: .tcp), counters: FlowCounters())
  }

  private static func flows(_ ids: some Sequence<UInt32>) -> [Flow] { ids.map { flow($0) } }

  private static func received(created: [FlowIdentity] = [], ended: [Flow] = [], losses: UInt64 = 0)
    -> FlowEventQueue.Batch
  {
    var batch = FlowEventQueue.Batch()
    (batch.created, batch.ended, batch.losses) = (created, ended, losses)
    return batch
  }

  @Test func `few flows are asked for, many are dumped, and a minute's audit in between`() {
    var set = LiveFlowSet()
    #expect(set.reading(at: Self.start) == .dump(.start))
    set.replace(by: Self.flows(0..<10), for: .start, at: Self.start)
    #expect(set.reading(at: Self.start) == .query && set.questions.count == 10)
    set.take(Self.received(created: [Self.flow(77).identity], ended: [Self.flow(3)]))
    #expect(set.questions.count == 10)
    #expect(set.reading(at: Self.start + .seconds(59)) == .query)
    #expect(set.reading(at: Self.start + .seconds(60)) == .dump(.audit))
    set.take(Self.received(created: Self.flows(100..<3000).map(\.identity)))
    #expect(set.reading(at: Self.start) == .dump(.many))
  }

  /// The kernel may give an entry of the same ends the same identifier again.
  @Test(arguments: [
    ("+", true), ("+-", false), ("-+", true), ("-+-", false), ("+-+", true), ("-|+", true), ("+|-", false),
    ("-+|-", false), ("+-|+-|+", true),
  ])
  func `a flow that is made again lives`(events: String, lives: Bool) {
    var set = LiveFlowSet()
    set.replace(by: Self.flows([1, 2]), for: .start, at: Self.start)
    var generations = FlowGenerations()
    var waiting = FlowEventQueue.Batch()
    for received in events.split(separator: "|") {
      var batch = FlowEventQueue.Batch()
      for event in received {
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
    set.take(waiting)
    #expect(set.questions.count == (lives ? 2 : 1))
  }

  /// The kernel does not report the end of an entry that is older than its first listener.
  @Test func `ends are asked for once, whatever is known of the entry before`() {
    var set = LiveFlowSet()
    set.replace(by: [Self.flow(1)], for: .start, at: Self.start)
    set.take(Self.received(created: [Self.flow(2, of: 1).identity]))
    #expect(set.questions.count == 1)
    set.take(Self.received(ended: [Self.flow(1)]))
    #expect(set.questions.count == 1)
    set.take(Self.received(ended: [Self.flow(2, of: 1)]))
    #expect(set.questions.isEmpty)
  }

  @Test func `many flows are not kept, and few are again once they are few`() {
    var set = LiveFlowSet()
    set.replace(by: Self.flows(0..<5000), for: .start, at: Self.start)
    set.take(Self.received(created: [Self.flow(9000).identity]))
    #expect(set.questions.isEmpty && set.reading(at: Self.start) == .dump(.many))
    set.replace(by: Self.flows(0..<20), for: .many, at: Self.start)
    #expect(set.questions.count == 20 && set.reading(at: Self.start) == .query)
  }

  private static func closed(_ ids: some Sequence<UInt32>, isCounted: Bool = true) -> [Flow] {
    ids.map {
      var flow = flow($0)
      (flow.hasClosed, flow.isCounted) = (true, isCounted)
      return flow
    }
  }

  @Test func `what has closed is not asked for again, unless its bytes are its sockets'`() {
    var set = LiveFlowSet()
    set.replace(
      by: Self.flows([1, 2]) + Self.closed(10..<20) + Self.closed([20], isCounted: false), for: .start,
      at: Self.start)
    #expect(Set(set.asked.map(\.id)) == [1, 2, 20] && set.closed == 10)
    // The answer of an entry that has taken the ends of another says nothing of that one.
    var other = Self.closed([7])[0]
    other.original = Self.flow(2).original
    set.take(answers: Self.closed([1]) + [other])
    #expect(Set(set.asked.map(\.id)) == [2, 20] && set.closed == 11)
    set.take(Self.received(ended: Self.closed([1, 12]) + [Self.flow(2)]))
    #expect(Set(set.asked.map(\.id)) == [20] && set.closed == 9)
  }

  @Test func `as many are asked for as need not be`() {
    var set = LiveFlowSet()
    set.replace(by: Self.closed(0..<10_000), for: .start, at: Self.start)
    #expect(set.questions.isEmpty && set.reading(at: Self.start) == .query)
    set.take(Self.received(created: Self.flows(20_000..<30_000).map(\.identity)))
    #expect(set.questions.count == 10_000 && set.reading(at: Self.start) == .query)
    set.take(Self.received(created: [Self.flow(40_000).identity]))
    #expect(set.questions.isEmpty && set.reading(at: Self.start) == .dump(.many))
    set.replace(by: Self.flows(0..<3_000) + Self.closed(5_000..<10_000), for: .many, at: Self.start)
    #expect(set.questions.count == 3_000 && set.closed == 5_000)
  }

  @Test func `an audit suspects nothing that has closed`() {
    var set = LiveFlowSet()
    set.replace(by: Self.flows([1]), for: .start, at: Self.start)
    set.take(answers: Self.closed([1]))
    set.replace(by: Self.closed([1]), for: .audit, at: Self.start)
    #expect(set.takeSuspects(at: Self.start) == 0)
  }

  @Test func `lost events are repaired by a dump`() {
    var set = LiveFlowSet()
    set.replace(by: [], for: .start, at: Self.start)
    set.take(Self.received(losses: 1))
    #expect(set.reading(at: Self.start) == .dump(.loss))
    set.replace(by: Self.flows([1, 2]), for: .loss, at: Self.start)
    #expect(set.reading(at: Self.start) == .query && set.questions.count == 2)
  }

  @Test func `an audit counts what no event reports, not what is on its way`() {
    var set = LiveFlowSet()
    set.replace(by: Self.flows([1]), for: .start, at: Self.start)
    set.replace(by: Self.flows([1, 2, 3, 4]), for: .audit, at: Self.start)
    set.take(Self.received(created: [Self.flow(2).identity], ended: [Self.flow(3)]))
    #expect(set.takeSuspects(at: Self.start) == 1)
    // It may happen again.
    let later = Self.start + .seconds(599)
    set.replace(by: [Self.flow(1)], for: .audit, at: later)
    #expect(set.reading(at: later) == .dump(.audit) && set.reading(at: later + .seconds(1)) == .query)
    // Made again, and reported, while the audit was read.
    set.replace(by: [Self.flow(1), Self.flow(5)], for: .audit, at: Self.start)
    var again = Self.flow(5).identity
    again.generation = 1
    set.take(Self.received(created: [again]))
    #expect(set.takeSuspects(at: Self.start) == 0)
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
    var retries = LookupRetries()
    var now = Self.start
    var looks = 0
    retries.add(Self.flow(1), isClient: false, attempts: 0, at: now)
    while let due = retries.next {
      #expect(retries.takeNext(at: due - .microseconds(1)) == nil)
      now = due
      while let retry = retries.takeNext(at: now) {
        looks += 1
        retries.add(retry.flow, isClient: retry.isClient, attempts: retry.attempts + 1, at: now)
      }
    }
    #expect(looks == LookupRetries.delays.count && now - Self.start == .milliseconds(341))
  }

  @Test func `a socket that may be handed on is looked at three times, some of a flood not at all`() {
    let process = ProcessIdentity(pid: 10, startTime: 1)
    let seen = LookupRetries.Seen(
      holding: OwnerFinder.Holding(owner: process, holders: [process]), inode: 7, hasAddress: true, turn: 1)
    var retries = LookupRetries()
    var waits: [Duration] = []
    retries.add(seen, of: Self.flow(1), at: Self.start)
    while let due = retries.next, let retry = retries.takeNext(at: due) {
      waits.append(due - Self.start)
      retries.add(seen, of: retry.flow, attempts: retry.attempts, at: due)
    }
    #expect(waits == [.milliseconds(4), .milliseconds(68), .milliseconds(324)])
    for id in 0..<UInt32(LookupRetries.capacity / 4 + 5) {
      retries.add(seen, of: Self.flow(id), at: Self.start)
    }
    let taken = Array(sequence(state: ()) { _ in retries.takeNext(at: Self.start + .seconds(1))?.flow.id })
    #expect(taken.count == LookupRetries.capacity / 4 && retries.dropped == 0)
  }

  @Test func `a flood of ends has a bound and a count`() {
    var retries = LookupRetries()
    for id in 0..<UInt32(LookupRetries.capacity + 5) {
      retries.add(Self.flow(id), isClient: true, attempts: 0, at: Self.start)
    }
    #expect(retries.dropped == 5)
    let taken = Array(sequence(state: ()) { _ in retries.takeNext(at: Self.start + .seconds(1))?.flow.id })
    #expect(taken == Array(0..<UInt32(LookupRetries.capacity)))
    #expect(retries.next == nil)
  }

  @Test func `what waits to be taken has a bound and a count`() {
    var waiting = Self.received(
      created: Array(repeating: Self.flow(1).identity, count: FlowEventQueue.capacity - 1))
    let lost = waiting.append(
      Self.received(created: [Self.flow(2), Self.flow(3)].map(\.identity), ended: [Self.flow(4)], losses: 2))
    #expect(waiting.created.count == FlowEventQueue.capacity - 1 && waiting.ended.map(\.id) == [4])
    #expect(lost == 2 && waiting.losses == 4)
  }
}
