import Model
import SystemRuntime
import Testing

@testable import Netfilter
@testable import Ownership

/// Entries that have the identifier and the ends of one before them.
@Suite struct FlowGenerationsTests {
  private static let start = Instant.now

  /// `a` and `b` have the same identifier by chance, `c` has its own.
  private static func flow(_ name: Character) -> Flow {
    let client = Endpoint(address: IPAddress(v4: 0x0a00_0001), port: UInt16(name.asciiValue ?? 0))
    let server = Endpoint(address: IPAddress(v4: 0x0a00_0002), port: 80)
    return Flow(
      id: name == "c" ? 3 : 1, original: FlowTuple(source: client, destination: server, transport: .tcp),
      reply: FlowTuple(source: server, destination: client, transport: .tcp), counters: FlowCounters())
  }

  /// `+` is made, `-` ends, `|` is taken a second later; the number of each entry, in the order of the events.
  @Test(
    arguments: [
      ("+a -a", "0 0"),
      ("+a -a +a -a", "0 0 1 1"),
      ("+a -a +a -a +a", "0 0 1 1 2"),
      ("-a +a", "0 1"),
      ("+a +b -a -b", "0 0 0 0"),
      ("+a -a +b -b +a", "0 0 1 1 2"),
      ("+a +b -b +b -a -b", "0 0 0 1 0 1"),
      ("+a -a +c -c", "0 0 0 0"),
      ("+a -a | +a -a", "0 0 1 1"),
      ("+a -a | | +a -a", "0 0 0 0"),
      ("+a -a +a | | | -a +a", "0 0 1 1 2"),
      ("+a -a +a | | | +a -a", "0 0 1 0 0"),
    ])
  func `entries of the same ends are distinguished while the one before matters`(
    events: String, numbers: String
  ) {
    var generations = FlowGenerations()
    var found: [String] = []
    var now = Self.start
    generations.rotate(at: now)
    for event in events.split(separator: " ") {
      guard let name = event.last, event != "|" else {
        now += .seconds(1)
        generations.rotate(at: now)
        continue
      }
      var flow = Self.flow(name)
      if event.hasPrefix("+") {
        generations.number(made: &flow)
      } else {
        generations.number(ended: &flow)
      }
      found.append("\(flow.generation)")
    }
    #expect(found.joined(separator: " ") == numbers)
  }

  @Test func `however often what was received is taken, an end is remembered for a while`() {
    var generations = FlowGenerations()
    var flow = Self.flow("a")
    generations.number(made: &flow)
    generations.number(ended: &flow)
    let first = flow.identity
    for tick in 0..<40 { generations.rotate(at: Self.start + .milliseconds(10 * tick)) }
    #expect(generations.isOver(first))
    var next = Self.flow("a")
    generations.number(made: &next)
    #expect(next.generation == 1 && generations.isOver(first) && !generations.isOver(next.identity))
  }

  @Test func `what is asked for has the number of what lives`() {
    var later = LaterFlows()
    var first = Self.flow("a")
    var second = first
    second.generation = 4
    var read = first
    later.number(&read)
    #expect(read == first)
    later.note(made: second.identity)
    later.note(ended: first.identity)
    later.number(&read)
    #expect(read == second)
    // Made again long after: nothing is left of the one before.
    later.note(made: first.identity)
    read = first
    later.number(&read)
    #expect(read == first)
    later.note(made: second.identity)
    later.keep([first])
    later.number(&first)
    #expect(first.generation == 4)
    later.keep([])
    #expect(later.count == 0)
  }

  /// It was made again between two takes, and then read.
  @Test func `what was read under the name of the one before is left out`() {
    let (first, other) = (Self.flow("a"), Self.flow("c"))
    var second = first
    second.generation = 4
    for (known, isAnother) in [([], false), ([other], false), ([second], true)] {
      var later = LaterFlows()
      var snapshot = FlowSnapshot(living: [first, other])
      for flow in known { later.note(made: flow.identity) }
      snapshot.removeLiving { later.isAnother($0) }
      #expect(snapshot.flows == (isAnother ? [other] : [first, other]))
      #expect(snapshot.livingCount == snapshot.flows.count)
    }
  }

  @Test func `numbers are given however much else there was no room for`() {
    var batch = FlowEventQueue.Batch()
    let many = Array(repeating: Self.flow("c").identity, count: FlowEventQueue.capacity)
    batch.append(FlowEventQueue.Batch(created: many))
    var again = Self.flow("a").identity
    again.generation = 4
    let lost = batch.append(FlowEventQueue.Batch(created: [Self.flow("b").identity, again]))
    #expect(lost == 2 && batch.created.count == FlowEventQueue.capacity + 1 && batch.created.last == again)
  }

  @Test func `more than fit are not distinguished, and no number is used twice`() {
    var generations = FlowGenerations()
    var numbers: Set<UInt32> = []
    var ended = Self.flow("a")
    generations.number(ended: &ended)
    for port in 0..<UInt32(FlowGenerations.capacity + 10) {
      var flow = Self.flow("a")
      flow.zone = UInt16(port % 50_000)
      flow.original.source.port = port < 50_000 ? 1 : 2
      generations.number(made: &flow)
      if flow.generation != 0 { numbers.insert(flow.generation) }
    }
    #expect(numbers.count == FlowGenerations.capacity && generations.overflow == 10)
  }
}
