import Model

/// The addresses of a target as they were last looked up, and when that is to be done again. Does no I/O.
package struct AddressBook: Sendable {
  /// What is known of the addresses.
  package enum Answer: Sendable, Equatable {
    /// Try these, in this order.
    case ready([ZonedEndpoint])
    /// They are being looked up.
    case pending
    /// There are none, and why.
    case failed(String)
  }

  /// How long addresses are used before they are looked up again, while the old ones stay in use.
  package static let freshness = Duration.seconds(30)
  /// How long a failure is an answer, and how long at least lies between two look-ups.
  package static let pause = Duration.seconds(1)

  /// What is known.
  package private(set) var answer = Answer.pending
  /// When that was found; nil while nothing was.
  package private(set) var answered: Instant?
  /// Whether they are to be looked up, or are being so.
  package private(set) var isWanted = true

  private var preferred: ZonedEndpoint?

  /// Knows nothing yet.
  package init() {}

  /// What is known at `now`, and whether a look-up is wanted from now on.
  package mutating func addresses(at now: Instant) -> (answer: Answer, asks: Bool) {
    guard let answered else { return (.pending, false) }
    let age = now - answered
    if case .failed = answer, age >= Self.pause { return (.pending, want()) }
    return (answer, age >= Self.freshness && want())
  }

  /// None of the addresses has answered: returns whether a look-up is wanted from now on. However often that is, there
  /// is one a second at most.
  package mutating func distrust(at now: Instant) -> Bool {
    guard let answered, now - answered >= Self.pause else { return false }
    return want()
  }

  /// Puts `endpoint` first, now and as long as it is among the addresses, because it has answered where those before it
  /// did not.
  package mutating func prefer(_ endpoint: ZonedEndpoint) {
    guard case .ready(let endpoints) = answer, endpoints.contains(endpoint) else { return }
    preferred = endpoint
    answer = .ready(ordered(endpoints))
  }

  /// Notes what a look-up has found.
  package mutating func note(_ answer: Answer, at now: Instant) {
    answered = now
    isWanted = false
    switch (answer, self.answer) {
    case (.ready(let endpoints), _): self.answer = .ready(ordered(endpoints))
    // Old addresses are better than none.
    case (.failed, .ready): break
    default: self.answer = answer
    }
  }

  private mutating func want() -> Bool {
    defer { isWanted = true }
    return !isWanted
  }

  private func ordered(_ endpoints: [ZonedEndpoint]) -> [ZonedEndpoint] {
    guard let preferred, endpoints.contains(preferred) else { return endpoints }
    return [preferred] + endpoints.filter { $0 != preferred }
  }
}
