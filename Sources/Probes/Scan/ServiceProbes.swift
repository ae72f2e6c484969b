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

  private let inbox: Inbox<(Question, TransferOutcome)>
  private var transfers: TransferThread?
  private var identifiers: [Question: TransferID] = [:]
  private var connections: [UInt64: ConnectionProbe] = [:]
  private var deadlines = DeadlineQueue()
  private var nextToken = ProbeEngine.firstSocketToken
  private var answers: [Answered] = []

  /// Asks nobody yet. Errors: no descriptor was to be had.
  init() throws(KernelError) { inbox = try Inbox() }

  /// Wakes the loop when a web server has answered.
  var waker: Waker { inbox.waker }

  /// True while the time of an answer is measured on the thread of the engine, which then must not be late.
  var isTiming: Bool { !connections.isEmpty }

  /// When `expire` is to be called next.
  var earliest: ContinuousClock.Instant? { answers.isEmpty ? deadlines.earliest : .now }

  /// How many web servers may be asked at once, and how many more may wait.
  private static let places = 512
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
    for (question, id) in identifiers where question.target == target { transfers?.cancel(id) }
    connections = connections.filter { $0.value.question.target != target }
  }

  /// Forgets what was asked for a look that is over: late answers are nobody's.
  func cancelScan(of target: UInt32) {
    for service in ScanSchedule.Service.allCases {
      for (question, id) in identifiers
      where question.target == target && question.subject == .service(service) {
        transfers?.cancel(id)
      }
    }
  }

  /// Takes what web servers have answered; to be called when the waker was used.
  func collect() {
    for (question, outcome) in inbox.take() {
      identifiers[question] = nil
      answers.append((question, .service(.web(Self.answer(outcome)))))
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

  /// Gives up connections whose time is over.
  func expire(at now: ContinuousClock.Instant) {
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
    let token = nextToken
    nextToken += 1
    do throws(Errno) {
      let probe = try ConnectionProbe(question, endpoint, zone: zone, purpose, at: .now)
      try probe.watch(poller, token: token)
      connections[token] = probe
      deadlines.add(token, at: .now + limit)
    } catch {
      let why = error.description
      answers.append(
        (question, purpose == .acceptance ? .connection(.failed(why)) : .service(.database(.missing(why)))))
    }
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
      identifiers[question] = try transfers.submit(.http(request)) { [inbox] in inbox.post((question, $0)) }
    } catch {
      answers.append((question, .service(.web(.missing("\(error)")))))
    }
  }

  private func startedTransfers() throws(CurlError) -> TransferThread {
    if let transfers { return transfers }
    let started = try TransferThread("web", places: Self.places, capacity: Self.capacity)
    transfers = started
    return started
  }

  private static func answer(_ outcome: TransferOutcome) -> ServiceScan.Answer<ServiceScan.Web> {
    switch outcome {
    case .http(let response): .answered(ServiceScan.Web(response))
    case .failed(let failure): .missing(words(of: failure))
    case .mail, .cancelled: .missing("cancelled")
    }
  }

  /// Why there is no answer: the same words each time, which libcurl's are not, as they have milliseconds.
  static func words(of failure: TransferFailure) -> String {
    switch (failure.kind, failure.errno) {
    case (.notConnected, let errno?): Errno(rawValue: errno).description
    case (.timedOut, _): "no answer in time"
    default: failure.reason
    }
  }
}

extension ServiceScan.Web {
  /// What a server answered; the time is that from the connection to the answer.
  init(_ response: HTTPResponse) {
    let start = response.secured ?? response.connected ?? .zero
    var problem: String?
    if case .invalid(let why) = response.certificate { problem = why }
    self.init(
      roundTrip: max(.zero, response.ended - start), status: response.status,
      server: response.head.lazy.compactMap(Self.server).first, certificateProblem: problem)
  }

  /// The value of a Server field (RFC 9110, section 10.2.4); names have no case.
  private static func server(_ field: String) -> String? {
    guard field.lowercased().hasPrefix("server:") else { return nil }
    let value = field.dropFirst("server:".count)
    return String(
      value.drop { $0 == " " || $0 == "\t" }.reversed().drop { $0 == " " || $0 == "\t" }.reversed())
  }
}
