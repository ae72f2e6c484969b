import Model
import SystemPackage
import SystemRuntime

/// A TCP connection that is being made, for an answer to one question.
final class ConnectionProbe {
  /// What is wanted of the connection.
  enum Purpose: Sendable {
    /// The greeting of MySQL.
    case greeting
    /// That it is accepted.
    case acceptance
  }

  /// Who wants to know.
  let question: ServiceProbes.Question

  private let socket: TCPSocket
  private let purpose: Purpose
  private let start: Instant
  private var bytes: [UInt8] = []
  private var isConnected = false

  /// Starts to connect. Errors: those of connect(2).
  init(
    _ question: ServiceProbes.Question, _ endpoint: Endpoint, zone: UInt32, _ purpose: Purpose,
    at now: Instant
  ) throws(Errno) {
    self.question = question
    self.purpose = purpose
    start = now
    socket = try TCPSocket(connectingTo: endpoint, zone: zone)
  }

  /// Has `poller` report its changes.
  func watch(_ poller: borrowing Poller, token: UInt64) throws(Errno) { try poller.add(socket, token: token) }

  /// The answer where the time is over.
  var lateAnswer: ServiceProbes.Answer {
    failure(isConnected ? "connected, but no greeting in time" : "no connection in time")
  }

  /// The answer where the kernel did not connect for want of something.
  static func answer(_ shortage: ServiceShortage, for purpose: Purpose) -> ServiceProbes.Answer {
    switch purpose {
    case .acceptance: .connection(.unknown(shortage.reason))
    case .greeting: .service(.database(.unknown(shortage.reason)))
    }
  }

  /// Goes on with what has come; returns the answer once it is known.
  func proceed(_ readiness: Readiness, at now: Instant) -> ServiceProbes.Answer? {
    if let error = socket.takeError() { return failure(error.description) }
    if readiness.contains(.writable) { isConnected = true }
    switch purpose {
    case .acceptance: return isConnected ? .connection(.accepted(now - start)) : nil
    case .greeting: return readGreeting(at: now)
    }
  }

  private func readGreeting(at now: Instant) -> ServiceProbes.Answer? {
    var buffer = [UInt8](repeating: 0, count: MySQLGreeting.maximumLength)
    while true {
      switch socket.receive(into: &buffer, atMost: buffer.count) {
      case .moved(let count):
        bytes += buffer[..<count]
        switch MySQLGreeting(bytes) {
        case .incomplete where bytes.count < MySQLGreeting.maximumLength: continue
        case .incomplete: return failure("more than a greeting came")
        case .version(let version):
          return .service(
            .database(.answered(ServiceScan.Database(roundTrip: now - start, version: version))))
        case .missing(let why): return failure(why)
        }
      case .wouldBlock: return nil
      case .ended: return failure("the connection was closed before a greeting")
      case .failed(let error): return failure(error.description)
      }
    }
  }

  private func failure(_ why: String) -> ServiceProbes.Answer { Self.failure(why, for: purpose) }

  /// The answer where the service does not do what is wanted.
  static func failure(_ why: String, for purpose: Purpose) -> ServiceProbes.Answer {
    switch purpose {
    case .acceptance: .connection(.failed(why))
    case .greeting: .service(.database(.missing(why)))
    }
  }
}
