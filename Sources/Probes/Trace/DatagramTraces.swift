import Model
import SystemPackage
import SystemRuntime

/// The requests of traces where this user may not send ICMP: UDP datagrams. All of a flow to a target come from one port, for all
/// its rounds, so that routers that balance send them one way.
final class DatagramTraces {
  private final class Flow {
    let target: UInt32
    let number: Int
    let destination: IPAddress
    let socket: TraceSocket

    init(_ target: UInt32, _ number: Int, _ destination: IPAddress, _ socket: consuming TraceSocket) {
      (self.target, self.number, self.destination) = (target, number, destination)
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
  private var tokens: [UInt32: [Int: UInt64]] = [:]
  private var ports: [UInt32: [Int: UInt16]] = [:]
  private var lastToken = firstToken

  /// Has no requests. The secret is this process's.
  init(secret: UInt64) { datagram = TraceDatagram(secret: secret) }

  /// Sends a request of a flow; `poller` reports what comes for it. Errors: why it cannot be sent.
  func send(
    _ token: EchoToken, of number: Int, to address: IPAddress, zone: UInt32, ttl: Int,
    _ poller: borrowing Poller
  ) throws(Errno) {
    let flow = try flow(number, of: token.target, address, zone, poller)
    try flow.socket.send(datagram.bytes(token), ttl: ttl)
  }

  private func flow(
    _ number: Int, of target: UInt32, _ address: IPAddress, _ zone: UInt32, _ poller: borrowing Poller
  ) throws(Errno) -> Flow {
    if let flow = tokens[target]?[number].flatMap({ flows[$0] }) { return flow }
    let socket = try TraceSocket(to: address, zone: zone, from: ports[target]?[number])
    let flow = Flow(target, number, address, socket)
    lastToken += 1
    try poller.add(flow.socket, token: lastToken)
    flows[lastToken] = flow
    tokens[target, default: [:]][number] = lastToken
    ports[target, default: [:]][number] = flow.socket.localPort
    return flow
  }

  /// Takes what has come at the socket that the poller reported, and which flow to which target it is about; nil for one that was
  /// closed.
  func takeAnswers(
    _ pollToken: UInt64, into buffer: inout EchoBuffer
  ) -> (target: UInt32, flow: Int, [Answer])? {
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
    return (flow.target, flow.number, answers)
  }

  private static let mostBatches = 8

  /// Closes the sockets of flows that `isOver` says it of: the next trace has the same ports, if they are free then.
  func close(target: UInt32, where isOver: (Int) -> Bool) {
    for (number, token) in tokens[target] ?? [:] where isOver(number) {
      flows[token] = nil
      tokens[target]?[number] = nil
    }
    if tokens[target]?.isEmpty ?? false { tokens[target] = nil }
  }

  /// Forgets a target that is not traced any more.
  func cancel(target: UInt32) {
    close(target: target) { _ in true }
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
