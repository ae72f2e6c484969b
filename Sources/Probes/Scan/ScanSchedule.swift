import Model

/// The looks at the services of one target, one after the other. Does no I/O.
struct ScanSchedule: Sendable {
  /// What is asked.
  enum Service: UInt8, Sendable, Hashable, CaseIterable {
    /// Port 80.
    case http
    /// Port 443.
    case https
    /// Port 3306.
    case mysql
  }

  /// What a service answered.
  enum Answer: Sendable, Hashable {
    case web(ServiceScan.Answer<ServiceScan.Web>)
    case database(ServiceScan.Answer<ServiceScan.Database>)
  }

  /// A look that is over, and when it began.
  struct Finished: Sendable, Hashable {
    var began: Timestamp
    var scan: ServiceScan
    /// A service was not asked within its time.
    var isLate: Bool
  }

  private let settings: ProbeJob.Scan
  private var clock: AttemptClock
  private var answers: [Service: Answer] = [:]

  /// The number of the look that runs, to tell its answers from those of looks before.
  var number: UInt16 { clock.number }

  /// Begins the first look at `start`.
  init(_ settings: ProbeJob.Scan, start: Instant) {
    self.settings = settings
    clock = AttemptClock(settings.interval, timeout: settings.timeout, start: start)
  }

  /// When `advance` is to be called next; nil when nothing is left to do.
  var wake: Instant? { clock.wake }

  /// Begins no look any more; the one that runs goes on.
  mutating func finish() { clock.finish() }

  /// Does what is due: calls `ask` for each service that is to be asked within its time, and returns a look that is over.
  mutating func advance(
    at now: Instant, _ time: Timestamp, ask: (Service, Duration) -> Void
  ) -> Finished? {
    if clock.begins(at: now, time) {
      answers = [:]
      for service in Service.allCases { ask(service, settings.timeout) }
    }
    guard let start = clock.ends(at: now, isAnswered: answers.count == Service.allCases.count) else {
      return nil
    }
    return Finished(
      began: start, scan: ServiceScan(http: web(.http), https: web(.https), mysql: database),
      isLate: answers.count < Service.allCases.count)
  }

  /// Takes what a service answered to the look of this number; returns whether the look is over by it.
  mutating func answer(_ service: Service, _ answer: Answer, of number: UInt16) -> Bool {
    guard clock.runs(number) else { return false }
    answers[service] = answer
    return answers.count == Service.allCases.count
  }

  private func web(_ service: Service) -> ServiceScan.Answer<ServiceScan.Web> {
    if case .web(let answer) = answers[service] { answer } else { .unknown(Self.silent) }
  }

  private var database: ServiceScan.Answer<ServiceScan.Database> {
    if case .database(let answer) = answers[.mysql] { answer } else { .unknown(Self.silent) }
  }

  /// A service that is asked answers in its time, if only that this is over.
  private static let silent = ServiceShortage.turn.reason
}
