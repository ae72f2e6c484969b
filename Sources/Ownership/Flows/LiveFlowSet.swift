import Model
import Netfilter

/// The flows that live, as far as events and dumps show, and the decision how to read their counters.
struct LiveFlowSet {
  /// How to read the counters now.
  enum ReadPlan: Equatable {
    /// Ask for each flow.
    case query
    /// Dump the whole table.
    case dump(Reason)
  }

  /// Why the whole table is read.
  enum Reason: Equatable {
    /// Nothing is known yet.
    case start
    /// Events were lost.
    case loss
    /// So many flows live that a dump costs less.
    case many
    /// It is time to see whether the set is right, or it was not a moment ago.
    case audit
  }

  /// Above this many flows a dump costs less than asking for each (measured: 2.2 ms for 2,000, a dump of a table of
  /// 262,144 buckets takes 3.5 ms and more), unless most of the table need not be asked for.
  static let queryLimit = 2_500
  /// The most that are kept to be asked for.
  static let memoryLimit = 65_536
  /// How often the set is compared with the table.
  static let auditInterval = Duration.seconds(60)
  /// For so long every reading is a dump once an audit has found flows of which no event came: the kernel may be set to
  /// report nothing of some (`ct event set`, nft(8)).
  static let distrust = Duration.seconds(600)

  /// What a question asks for: of one zone only one entry at a time has these ends.
  private struct Ends: Hashable {
    var zone: UInt16
    var original: FlowTuple

    init(_ flow: FlowIdentity) { (zone, original) = (flow.zone, flow.original) }
  }

  private struct Entry {
    var flow: FlowIdentity
    var question: FlowQuery.Question
  }

  private var living: [Ends: Entry] = [:]
  /// About how many others are in the table that have closed: their counters come with their end.
  private(set) var closed = 0
  /// Flows that an audit found and no event had reported; their events may be on their way.
  private var suspects: Set<Ends> = []
  private var lastDump: Instant?
  private var distrustsUntil: Instant?
  private var hasLost = false
  /// So many flows live that none of them is kept here until a dump finds few.
  private var hasMany = false

  /// Takes what was received.
  mutating func take(_ batch: FlowEventQueue.Batch) {
    for flow in batch.created {
      suspects.remove(Ends(flow))
      if hasMany { continue }
      enter(flow)
      // So many that no end in this batch makes them few.
      if living.count > limit + batch.ended.count { keepNone() }
    }
    for flow in batch.ended.lazy.map(\.identity) {
      let ends = Ends(flow)
      suspects.remove(ends)
      // The next entry of these ends may live already.
      if living[ends]?.flow == flow { living[ends] = nil } else if closed > 0 { closed -= 1 }
    }
    if batch.losses > 0 { hasLost = true }
  }

  /// How many flows of the last audit no event has reported until now; each is returned once.
  mutating func takeSuspects(at now: Instant) -> Int {
    defer { suspects = [] }
    if !suspects.isEmpty { distrustsUntil = now + Self.distrust }
    return suspects.count
  }

  /// How to read the counters at `now`.
  func reading(at now: Instant) -> ReadPlan {
    guard let lastDump else { return .dump(.start) }
    if hasLost { return .dump(.loss) }
    if hasMany || living.count > limit { return .dump(.many) }
    if let distrustsUntil, now < distrustsUntil { return .dump(.audit) }
    return now - lastDump >= Self.auditInterval ? .dump(.audit) : .query
  }

  /// The questions for all flows that may move something.
  var questions: [FlowQuery.Question] { living.values.map(\.question) }

  /// So many are asked for one by one: as many as need not be, since a dump lists both.
  private var limit: Int { min(Self.memoryLimit, max(Self.queryLimit, closed)) }

  /// Takes the answers to `questions`: what has closed is not asked for again.
  mutating func take(answers flows: [Flow]) {
    for flow in flows where Self.isOver(flow) {
      let ends = Ends(flow.identity)
      guard living[ends]?.flow == flow.identity else { continue }
      living[ends] = nil
      closed += 1
    }
  }

  /// The flows that are asked for.
  var asked: some Collection<FlowIdentity> { living.values.lazy.map(\.flow) }

  /// Takes a dump made at `now`.
  mutating func replace(by flows: [Flow], for reason: Reason, at now: Instant) {
    lastDump = now
    hasLost = false
    closed = flows.count(where: Self.isOver)
    guard flows.count - closed <= limit else { return keepNone() }
    hasMany = false
    let known = Set(living.values.lazy.map(\.flow))
    living.removeAll(keepingCapacity: true)
    for flow in flows.lazy.filter({ !Self.isOver($0) }).map(\.identity) {
      enter(flow)
      if reason == .audit, !known.contains(flow) { suspects.insert(Ends(flow)) }
    }
  }

  /// Whether the rest of its bytes comes with its end. Without counters it has those of its sockets, which end before it.
  private static func isOver(_ flow: Flow) -> Bool { flow.hasClosed && flow.isCounted }

  private mutating func enter(_ flow: FlowIdentity) {
    living[Ends(flow)] = Entry(flow: flow, question: FlowQuery.question(for: flow))
  }

  private mutating func keepNone() {
    hasMany = true
    living = [:]
    closed = 0
  }
}
