import Model
import SystemPackage
import SystemRuntime

/// The requests of traces where this user may not send ICMP: UDP datagrams. All of a target come from one port, for all its
/// rounds, so that routers that balance send them one way.
final class DatagramTraces {
  private final class Flow {
    let target: UInt32
    let destination: IPAddress
    let socket: TraceSocket

    init(_ target: UInt32, _ destination: IPAddress, _ socket: consuming TraceSocket) {
      (self.target, self.destination) = (target, destination)
      self.socket = socket
    }
  }

  /// An answer, and the request that it names, if it does.
  struct Answer {
    var request: EchoTokenPart?
    var answer: TraceRound.Answer
    var stamp: Int64?
  }

  /// What the tokens of its sockets begin with.
  static let firstToken: UInt64 = 1 << 62

  private let datagram: TraceDatagram
  private var flows: [UInt64: Flow] = [:]
  private var tokens: [UInt32: UInt64] = [:]
  private var ports: [UInt32: UInt16] = [:]
  private var lastToken = firstToken

  /// Has no requests. The secret is this process's.
  init(secret: UInt64) { datagram = TraceDatagram(secret: secret) }

  /// Sends a request; `poller` reports what comes for it. Errors: why it cannot be sent.
  func send(
    _ token: EchoToken, to address: IPAddress, zone: UInt32, hopLimit: Int, _ poller: borrowing Poller
  ) throws(Errno) {
    let flow = try flow(of: token.target, address, zone, poller)
    try flow.socket.send(datagram.bytes(token), hopLimit: hopLimit)
  }

  private func flow(
    of target: UInt32, _ address: IPAddress, _ zone: UInt32, _ poller: borrowing Poller
  ) throws(Errno) -> Flow {
    if let flow = tokens[target].flatMap({ flows[$0] }) { return flow }
    let flow = Flow(target, address, try TraceSocket(to: address, zone: zone, from: ports[target]))
    lastToken += 1
    try poller.add(flow.socket, token: lastToken)
    flows[lastToken] = flow
    tokens[target] = lastToken
    ports[target] = flow.socket.localPort
    return flow
  }

  /// Takes what has come at the socket that the poller reported, and the target that it is about; nil for one that was closed.
  func takeAnswers(_ pollToken: UInt64, into buffer: inout EchoBuffer) -> (target: UInt32, [Answer])? {
    guard let flow = flows[pollToken] else { return nil }
    var answers: [Answer] = []
    for isError in [true, false] {
      // A bound: whoever floods this host must not keep the loop.
      for _ in 0..<Self.mostBatches {
        let count = flow.socket.receive(errors: isError, into: &buffer) { bytes, envelope in
          if let answer = answer(bytes, envelope, flow) { answers.append(answer) }
        }
        if count < EchoBuffer.capacity { break }
      }
    }
    return (flow.target, answers)
  }

  private static let mostBatches = 8

  /// Closes the socket of a target, whose trace is over: the next one has the same port, if it is free then.
  func close(target: UInt32) {
    if let token = tokens.removeValue(forKey: target) { flows[token] = nil }
  }

  /// Forgets a target that is not traced any more.
  func cancel(target: UInt32) {
    close(target: target)
    ports[target] = nil
  }

  private func answer(_ bytes: RawSpan, _ envelope: EchoEnvelope, _ flow: Flow) -> Answer? {
    var request: EchoTokenPart?
    switch datagram.quote(bytes) {
    case .request(let token):
      guard token.target == flow.target else { return nil }
      request = token.part
    case .nothing: break
    // Only the destination's own words need not be ours.
    case .foreign: guard envelope.origin == nil else { return nil }
    }
    guard let answer = Self.answer(envelope, flow.destination) else { return nil }
    return Answer(request: request, answer: answer, stamp: envelope.stamp)
  }

  private static func answer(_ envelope: EchoEnvelope, _ destination: IPAddress) -> TraceRound.Answer? {
    switch envelope.origin {
    case .path(let type, let code, let info):
      let reason = PathError.Reason(EchoSocket.Family(of: destination), type: type, code: code, info: info)
      if reason == .timeExceeded, let router = envelope.offender { return .timeExceeded(by: router) }
      if reason == .portUnreachable, envelope.offender == destination { return .reached(destination) }
      return .stopped(PathError(reason, reporter: envelope.offender))
    case .local(let errno, let info): return .stopped(PathError(PathError.Reason(errno, info: info)))
    case nil: return .reached(destination)
    case .sent: return nil
    }
  }
}
