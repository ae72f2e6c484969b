import Model

/// What the filters of all monitors together show of an owner: a byte counts once, whoever shows it.
struct Visibility: Sendable {
  /// Whether bytes exchanged with other hosts are shown.
  var remote = false
  /// Whether bytes that stayed on this host are shown.
  var local = false

  /// What `filters` show of the process with this command line.
  init(_ filters: [MonitorFilter], of commandLine: String, abandoned: inout UInt64) {
    for filter in filters where filter.shows(commandLine, abandoned: &abandoned) {
      remote = true
      local = local || !filter.ignoresLocal
    }
  }

  /// What `filters` show of bytes without a process: all, unless every filter asks for certain processes.
  init(ofRemainder filters: [MonitorFilter]) {
    for filter in filters where filter.include.isEmpty {
      remote = true
      local = local || !filter.ignoresLocal
    }
  }

  /// The shown part of `moved`.
  func shown(_ moved: SplitUsage) -> Usage {
    (remote ? moved.remote : .zero) + (local ? moved.local : .zero)
  }
}

/// Usage, with what stayed on this host apart.
struct SplitUsage: Sendable {
  var remote = Usage.zero
  var local = Usage.zero
  /// How sure it is that all of it is the owner's.
  var certainty = Certainty()

  var all: Usage { remote + local }

  mutating func add(_ usage: Usage, isLocal: Bool, _ certainty: Certainty) {
    self.certainty = self.certainty + certainty
    if isLocal { local += usage } else { remote += usage }
  }
}
