import Curl
import Model
import SystemPackage
import SystemRuntime

/// Asks services: web servers by libcurl on a thread of its own, TCP ports and MySQL on the thread of the engine.
final class ServiceProbes {
  /// A question to one service of one target.
  struct Question: Sendable, Hashable {
    /// The target's number.
    var target: UInt32
    /// The number of the look.
    var round: UInt16
    /// What is asked.
    var subject: Subject
  }

  /// What a question is about.
  enum Subject: Sendable, Hashable {
    /// A service that a scan looks for.
    case service(ScanSchedule.Service)
    /// Whether a TCP port accepts.
    case port(UInt16)
  }

  /// What came of a question.
  enum Answer: Sendable, Hashable {
    case service(ScanSchedule.Answer)
    case connection(ProbeResult.Connection)
  }

  /// An answer, and its question.
  typealias Answered = (question: Question, answer: Answer)

  /// A question that a web server was asked, and where that is.
  private struct Asked {
    var id: TransferID
    var address: IPAddress
    var zone: UInt32
  }

  /// A connection that waits for its turn.
  private struct Waiting {
    var question: Question
    var endpoint: Endpoint
    var zone: UInt32
    var purpose: ConnectionProbe.Purpose
    var limit: Duration
    var since: Instant
  }

  private let inbox: Inbox<(Question, TransferOutcome)>
  private let places: ServicePlaces
  private var transfers: TransferThread?
  private var asked: [Question: Asked] = [:]
  private var connections: [UInt64: ConnectionProbe] = [:]
  /// At most one for each look of a target.
  private var waiting: [Waiting] = []
  private var notice = ShortageNotice()
  private var sentences: [String] = []
  private var deadlines = DeadlineQueue()
  private var nextToken = ProbeEngine.firstSocketToken
  private var answers: [Answered] = []

  /// Asks nobody yet, and at most so many at a time. Errors: no descriptor was to be had.
  init(_ places: ServicePlaces) throws(KernelError) {
    inbox = try Inbox()
    self.places = places
  }

  /// Wakes the loop when a web server has answered.
  var waker: Waker { inbox.waker }

  /// True while the time of an answer is measured on the thread of the engine, which then must not be late.
  var isTiming: Bool { !connections.isEmpty }

  /// When `expire` is to be called next.
  var earliest: Instant? {
    answers.isEmpty && (waiting.isEmpty || !hasPlace) ? deadlines.earliest : .now
  }

  private var hasPlace: Bool { connections.count < places.connections }

  /// How many web servers may wait for their turn.
  private static let capacity = 65_536

  /// Asks a service at `address`, within `limit`.
  func ask(
    _ question: Question, at address: IPAddress, zone: UInt32, name: String, within limit: Duration,
    _ poller: borrowing Poller
  ) {
    switch question.subject {
    case .service(.http): askWeb(question, "http", address, zone, name, limit)
    case .service(.https): askWeb(question, "https", address, zone, name, limit)
    case .service(.mysql):
      let endpoint = Endpoint(address: address, port: 3306)
      connect(question, endpoint, zone, .greeting, limit, poller)
    case .port(let port):
      connect(question, Endpoint(address: address, port: port), zone, .acceptance, limit, poller)
    }
  }

  /// Forgets all that was asked of a target.
  func cancel(target: UInt32) {
    for (question, asked) in asked where question.target == target { transfers?.cancel(asked.id) }
    waiting.removeAll { $0.question.target == target }
    connections = connections.filter { $0.value.question.target != target }
  }

  /// Forgets what was asked for a look that is over: late answers are nobody's.
  func cancelScan(of target: UInt32) {
    for service in ScanSchedule.Service.allCases {
      for (question, asked) in asked
      where question.target == target && question.subject == .service(service) {
        transfers?.cancel(asked.id)
      }
    }
  }

  /// Takes what web servers have answered; to be called when the waker was used.
  func collect() {
    for (question, outcome) in inbox.take() {
      let asked = asked.removeValue(forKey: question)
      answers.append((question, .service(.web(answer(outcome, asked)))))
    }
  }

  /// Takes the answers that came since the last call.
  func takeAnswers() -> [Answered] {
    if answers.isEmpty { return [] }
    defer { answers = [] }
    return answers
  }

  /// Goes on with a connection that is ready.
  func handle(_ token: UInt64, _ readiness: Readiness) {
    guard let probe = connections[token], let answer = probe.proceed(readiness, at: .now) else { return }
    end(token, answer)
  }

  /// Takes sentences of what this host lacks to ask.
  func takeSentences() -> [String] {
    defer { sentences = [] }
    return sentences
  }

  /// Has a shortage said, if it is new.
  func note(_ shortage: ServiceShortage) {
    if notice.isNew(shortage, at: .now) { sentences.append(shortage.sentence) }
  }

  /// Begins what waits, as far as there are places for it.
  func beginWaiting(_ poller: borrowing Poller) {
    guard hasPlace, !waiting.isEmpty else { return }
    let now = Instant.now
    var taken = 0
    while hasPlace, taken < waiting.count {
      let next = waiting[taken]
      taken += 1
      // Its look is over.
      guard now - next.since < AttemptClock.patience(for: next.limit) else { continue }
      begin(next.question, next.endpoint, next.zone, next.purpose, next.limit, poller)
    }
    waiting.removeFirst(taken)
  }

  /// Gives up connections whose time is over.
  func expire(at now: Instant) {
    while let entry = deadlines.take(until: now) {
      if let probe = connections[entry.token] { end(entry.token, probe.lateAnswer) }
    }
  }

  private func end(_ token: UInt64, _ answer: Answer) {
    guard let probe = connections.removeValue(forKey: token) else { return }
    answers.append((probe.question, answer))
  }

  private func connect(
    _ question: Question, _ endpoint: Endpoint, _ zone: UInt32, _ purpose: ConnectionProbe.Purpose,
    _ limit: Duration, _ poller: borrowing Poller
  ) {
    if hasPlace, waiting.isEmpty { return begin(question, endpoint, zone, purpose, limit, poller) }
    waiting.append(
      Waiting(
        question: question, endpoint: endpoint, zone: zone, purpose: purpose, limit: limit, since: .now))
  }

  private func begin(
    _ question: Question, _ endpoint: Endpoint, _ zone: UInt32, _ purpose: ConnectionProbe.Purpose,
    _ limit: Duration, _ poller: borrowing Poller
  ) {
    let token = nextToken
    nextToken += 1
    do throws(Errno) {
      let probe = try ConnectionProbe(question, endpoint, zone: zone, purpose, at: .now)
      try probe.watch(poller, token: token)
      connections[token] = probe
      deadlines.add(token, at: .now + limit)
    } catch {
      answers.append((question, answer(error, endpoint.address, zone, purpose)))
    }
  }

  private func answer(
    _ error: Errno, _ address: IPAddress, _ zone: UInt32, _ purpose: ConnectionProbe.Purpose
  ) -> Answer {
    guard let shortage = Self.shortage(error, address, zone) else {
      return ConnectionProbe.failure(error.description, for: purpose)
    }
    note(shortage)
    return ConnectionProbe.answer(shortage, for: purpose)
  }

  private static func shortage(_ error: Errno, _ address: IPAddress, _ zone: UInt32) -> ServiceShortage? {
    ServiceShortage(error) { SourceAddress.towards(address, zone: zone) != nil }
  }

  private func askWeb(
    _ question: Question, _ scheme: String, _ address: IPAddress, _ zone: UInt32, _ name: String,
    _ limit: Duration
  ) {
    let zoned = zone == 0 ? "\(address)" : "\(address)%\(zone)"
    let isName = IPAddress(name) == nil && !name.contains("%")
    let host = isName ? name : address.isV4 ? "\(address)" : "[\(address)]"
    var request = HTTPRequest(
      .head, "\(scheme)://\(host)/", limits: TransferLimits(connect: limit, whole: limit))
    request.verification = .reported
    request.address = zoned
    request.headers = ["User-Agent: bwmon"]
    do throws(CurlError) {
      let transfers = try startedTransfers()
      let id = try transfers.submit(.http(request)) { [inbox] in inbox.post((question, $0)) }
      asked[question] = Asked(id: id, address: address, zone: zone)
    } catch {
      answers.append((question, .service(.web(answer(error)))))
    }
  }

  private func answer(_ error: CurlError) -> ServiceScan.Answer<ServiceScan.Web> {
    let shortage: ServiceShortage
    switch error {
    case .unusable, .stopped: return .missing("\(error)")
    case .full: shortage = .turn
    case .noThread: shortage = .transfers("\(error)")
    }
    note(shortage)
    return .unknown(shortage.reason)
  }

  private static func shortage(_ failure: TransferFailure, _ asked: Asked) -> ServiceShortage? {
    if let errno = failure.errno { return shortage(Errno(rawValue: errno), asked.address, asked.zone) }
    // The file of certificates could not be opened, when the server was connected: there was a way to it.
    let isShort = failure.kind == .unusable && SourceAddress.towards(asked.address, zone: asked.zone) == nil
    return isShort ? .means(.tooManyOpenFiles) : nil
  }

  private func startedTransfers() throws(CurlError) -> TransferThread {
    if let transfers { return transfers }
    let started = try TransferThread("web", places: places.web, capacity: Self.capacity)
    transfers = started
    return started
  }

  private func answer(
    _ outcome: TransferOutcome, _ asked: Asked?
  ) -> ServiceScan.Answer<ServiceScan.Web> {
    switch outcome {
    case .http(let response): return .answered(ServiceScan.Web(response))
    case .failed(let failure):
      guard let asked, let shortage = Self.shortage(failure, asked) else {
        return .missing(Self.words(of: failure))
      }
      note(shortage)
      return .unknown(shortage.reason)
    case .mail, .cancelled: return .missing("cancelled")
    }
  }
}
