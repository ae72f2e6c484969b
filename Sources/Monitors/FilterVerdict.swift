import Model

/// What the filters of all monitors together show of an owner: a byte counts once, whoever shows it.
struct FilterVerdict: Sendable, Equatable {
  /// What is shown of nothing.
  static let none = FilterVerdict()

  private var kinds: SplitUsage.Kinds = []

  private init() {}

  /// What `filters` show of the process with this command line.
  init(_ filters: [MonitorFilter], of commandLine: String, abandoned: inout UInt64) {
    for filter in filters where filter.shows(commandLine, abandoned: &abandoned) {
      kinds.formUnion(filter.kinds)
    }
  }

  /// What `filters` show of bytes without a process: all, unless every filter asks for certain processes.
  init(ofRemainder filters: [MonitorFilter]) {
    for filter in filters where filter.include.isEmpty { kinds.formUnion(filter.kinds) }
  }

  /// The shown part of `moved`.
  func shown(_ moved: SplitUsage) -> Usage { moved.usage(of: kinds) }
}

/// Usage, with what stayed on this host and what carried tunnels apart.
struct SplitUsage: Sendable {
  /// Kinds of bytes; each byte is of one.
  struct Kinds: OptionSet {
    var rawValue: UInt8
    static let remote = Kinds(rawValue: 1)
    static let local = Kinds(rawValue: 2)
    static let remoteCarriers = Kinds(rawValue: 4)
    static let localCarriers = Kinds(rawValue: 8)
    static let carriers: Kinds = [.remoteCarriers, .localCarriers]
  }

  private var remote = Usage.zero
  private var local = Usage.zero
  private var remoteCarriers = Usage.zero
  private var localCarriers = Usage.zero
  /// How sure it is that all of it is the owner's.
  private(set) var certainty = Certainty()

  var all: Usage { remote + local + remoteCarriers + localCarriers }

  mutating func add(_ usage: Usage, isLocal: Bool, isCarrier: Bool = false, _ certainty: Certainty) {
    self.certainty = self.certainty + certainty
    switch (isLocal, isCarrier) {
    case (false, false): remote += usage
    case (true, false): local += usage
    case (false, true): remoteCarriers += usage
    case (true, true): localCarriers += usage
    }
  }

  /// The part that is of one of `kinds`.
  func usage(of kinds: Kinds) -> Usage {
    var usage = kinds.contains(.remote) ? remote : .zero
    if kinds.contains(.local) { usage += local }
    if kinds.contains(.remoteCarriers) { usage += remoteCarriers }
    if kinds.contains(.localCarriers) { usage += localCarriers }
    return usage
  }
}

extension MonitorFilter {
  /// The kinds of bytes that it shows of what it shows.
  fileprivate var kinds: SplitUsage.Kinds {
    var kinds: SplitUsage.Kinds = [.remote, .remoteCarriers]
    if !ignoresLocal { kinds.formUnion([.local, .localCarriers]) }
    if excludesTunnels { kinds.subtract(.carriers) }
    return kinds
  }
}
