import Model

/// What the filters show of each owner. Of a process it is remembered until that ends or runs something else.
struct FilterVerdicts: Sendable {
  /// Searches of the filters' patterns that were given up, since start.
  private(set) var abandoned: UInt64 = 0
  /// What is shown of bytes without a process.
  private(set) var ofRemainder: FilterVerdict
  private var filters: [MonitorFilter]
  private let hidden: Int32?
  private var known: [ProcessIdentity: (commandLine: String, verdict: FilterVerdict)] = [:]
  /// The most that are remembered; they are only made once more.
  private static let limit = 16_384

  /// Shows what any of `filters` shows, and nothing of the process with the pid `hidden`.
  init(_ filters: [MonitorFilter], hiding hidden: Int32?) {
    self.filters = filters
    self.hidden = hidden
    ofRemainder = FilterVerdict(ofRemainder: filters)
  }

  /// Shows from now on what these filters show.
  mutating func use(_ filters: [MonitorFilter]) {
    self.filters = filters
    ofRemainder = FilterVerdict(ofRemainder: filters)
    known.removeAll(keepingCapacity: true)
  }

  /// What is shown of the process under this name.
  mutating func verdict(on process: ProcessDescription) -> FilterVerdict {
    if process.identity.pid == hidden { return .none }
    if let known = known[process.identity], known.commandLine == process.commandLine { return known.verdict }
    let verdict = FilterVerdict(filters, of: process.commandLine, abandoned: &abandoned)
    // Bytes that come after the end of their process would keep its verdict for ever.
    if known.count >= Self.limit { known.removeAll(keepingCapacity: true) }
    known[process.identity] = (process.commandLine, verdict)
    return verdict
  }

  /// Forgets processes that have ended.
  mutating func forget(_ exited: some Sequence<ProcessIdentity>) {
    for process in exited { known[process] = nil }
  }
}
