import Model
import SystemPackage
import SystemRuntime

/// The requests of traces where this user may not send ICMP: UDP datagrams, each of a socket of its own. Another port may be
/// another path where routers balance; nothing without privilege tells requests of one port apart for certain.
final class DatagramTraces {
  private final class Request {
    let token: EchoToken
    let destination: IPAddress
    let datagram: TraceDatagram

    init(_ token: EchoToken, _ destination: IPAddress, _ datagram: consuming TraceDatagram) {
      (self.token, self.destination) = (token, destination)
      self.datagram = datagram
    }
  }

  /// An answer to a request.
  struct Answer {
    var token: EchoToken
    var answer: TraceRound.Answer
    var stamp: Int64?
  }

  private var requests: [UInt64: Request] = [:]

  /// Sends a request, which `poller` reports under `pollToken`. Errors: why it cannot be sent.
  func send(
    _ token: EchoToken, to address: IPAddress, zone: UInt32, hopLimit: Int, payload: Int,
    _ poller: borrowing Poller, pollToken: UInt64
  ) throws(Errno) {
    // An attempt before for the same hop was given up.
    requests = requests.filter { !$0.value.token.isOfHop(token) }
    let datagram = try TraceDatagram(to: address, zone: zone, hopLimit: hopLimit, payload: payload)
    try poller.add(datagram, token: pollToken)
    requests[pollToken] = Request(token, address, datagram)
  }

  /// Takes what was said of the request that the poller reported; nil where it is none, or nothing is known yet.
  func takeAnswer(_ pollToken: UInt64, into buffer: inout EchoBuffer) -> Answer? {
    guard let request = requests[pollToken] else { return nil }
    var answer: Answer?
    let isAnswered = request.datagram.receive(into: &buffer) { envelope in
      answer = answer ?? Self.answer(envelope, request.token, request.destination)
    }
    if isAnswered, answer == nil {
      answer = Answer(token: request.token, answer: .reached(request.destination), stamp: nil)
    }
    if answer != nil { requests[pollToken] = nil }
    return answer
  }

  /// Forgets the requests of a target, whose trace is over or which is not traced any more.
  func cancel(target: UInt32) { requests = requests.filter { $0.value.token.target != target } }

  private static func answer(
    _ envelope: EchoEnvelope, _ token: EchoToken, _ destination: IPAddress
  ) -> Answer? {
    let answer: TraceRound.Answer
    switch envelope.origin {
    case .path(let type, let code, let info):
      let reason = PathError.Reason(EchoSocket.Family(of: destination), type: type, code: code, info: info)
      if reason == .timeExceeded, let router = envelope.offender {
        answer = .timeExceeded(by: router)
      } else if reason == .portUnreachable, envelope.offender == destination {
        answer = .reached(destination)
      } else {
        answer = .stopped(PathError(reason, reporter: envelope.offender))
      }
    case .local(let errno, let info): answer = .stopped(PathError(PathError.Reason(errno, info: info)))
    case .sent, nil: return nil
    }
    return Answer(token: token, answer: answer, stamp: envelope.stamp)
  }
}

extension EchoToken {
  /// Whether both are for the same hop of the same trace.
  fileprivate func isOfHop(_ other: EchoToken) -> Bool {
    target == other.target && round == other.round
      && TraceRound.Request(rawValue: number).hopLimit == TraceRound.Request(rawValue: other.number).hopLimit
  }
}
