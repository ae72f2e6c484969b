import Model
import SystemPackage
import SystemRuntime

/// One ICMP socket with what waits to be sent by it, and which request of whom had which sequence number.
final class EchoChannel {
  /// A request that was handed to the kernel, or refused by it.
  struct Handed: Sendable {
    var token: EchoToken
    var reading: RoundTripClock.Reading
    /// Why the kernel did not send it; nil when it did.
    var refusal: Errno?
  }

  private var socket: EchoSocket
  private let packet: EchoPacket
  /// The token of the last request with each sequence number, for messages that quote no more than that.
  private var tokens: [UInt64] = []
  private var sequence: UInt16 = 0
  private var messages = EchoMessages()
  private var queued: [EchoToken] = []
  private var rate: SendRate
  /// True where an interface, or one on the way to a target, took less than usual: what is longer is cut from then on.
  private(set) var isNarrow = false

  /// The most requests that are sent between two readings of the clock.
  private static let batch = 8
  /// What every interface takes but a few: 576 bytes (RFC 791) without an IP header with all options.
  private static let usualRoom = 516

  /// Opens the socket. Errors: those of `EchoSocket`.
  init(
    _ family: EchoSocket.Family, _ packet: EchoPacket, identifier: UInt16, at now: Instant
  ) throws(Errno) {
    socket = try EchoSocket(family, identifier: identifier)
    socket.stampSent(true)
    self.packet = packet
    rate = SendRate(at: now)
  }

  /// Its address family.
  var family: EchoSocket.Family { socket.family }

  /// True when so much is sent that the loop takes replies together, some milliseconds late: the kernel stamps when each came.
  var isFast: Bool { rate.isHigh }

  /// How full its receive buffer is; nil where the kernel does not say.
  var receiveMemory: EchoSocket.ReceiveMemory? { socket.receiveMemory }

  /// True while requests wait for room in the kernel.
  var isWaiting: Bool { !queued.isEmpty }

  /// Has `poller` report what comes.
  func watch(_ poller: borrowing Poller, token: UInt64) throws(Errno) {
    try poller.add(socket, token: token)
  }

  /// Adds a request.
  func add(_ token: EchoToken, to address: IPAddress, zone: UInt32, payload: Int) {
    // One of each number at most, and no more room than is needed.
    if Int(sequence) < tokens.count {
      tokens[Int(sequence)] = token.rawValue
    } else {
      tokens.append(token.rawValue)
    }
    queued.append(token)
    messages.add(to: address, zone: zone) { bytes in
      packet.write(
        socket.family, identifier: socket.identifier, sequence: sequence, token: token, payload: payload,
        to: &bytes)
    }
    sequence &+= 1
  }

  /// Sends what waits, by way of `ttl` routers at most (0: the usual); what the kernel has no room for stays.
  func flush(ttl: Int = 0, _ read: () -> RoundTripClock.Reading, _ handed: (Handed) -> Void) {
    guard !queued.isEmpty else { return }
    socket.limitTTL(to: ttl)
    var start = 0
    var retries = 0
    rate.add(queued.count, at: read().instant)
    socket.stampSent(!rate.isHigh)
    socket.refuseLong(rate.isHigh && !isNarrow && messages.longest <= Self.usualRoom)
    while start < queued.count {
      let reading = read()
      do throws(Errno) {
        let count = try socket.send(messages, from: start, atMost: Self.batch)
        for token in queued[start..<start + count] { handed(Handed(token: token, reading: reading)) }
        start += count
        retries = 0
      } catch {
        if error == .wouldBlock || error == .noBufferSpace { break }
        if error == .messageTooLong, socket.refusesLong, !isNarrow {
          isNarrow = true
          socket.refuseLong(false)
          continue
        }
        // The socket reports the error of an earlier request at the next one, and another may come before that is sent.
        if retries < EchoSocket.mostRetries {
          socket.clearError()
          retries += 1
          continue
        }
        retries = 0
        handed(Handed(token: queued[start], reading: reading, refusal: error))
        start += 1
      }
    }
    // What the kernel has no room for for long is not sent, rather than sent late.
    let surplus = max(0, queued.count - start - Self.mostWaiting)
    for token in queued[start..<start + surplus] {
      handed(Handed(token: token, reading: read(), refusal: .noBufferSpace))
    }
    start += surplus
    if start == queued.count { return drop() }
    queued.removeFirst(start)
    messages.removeFirst(start)
  }

  private static let mostWaiting = 1024

  /// Forgets what waits.
  func drop() {
    queued.removeAll(keepingCapacity: true)
    messages.removeAll()
  }

  /// What came for a request.
  enum Message: Sendable {
    /// The kernel's stamp of its sending.
    case sent(Int64)
    /// The reply of this host.
    case reply(from: IPAddress, stamp: Int64?)
    /// A router dropped it, which went through too many hops.
    case timeExceeded(by: IPAddress, stamp: Int64?)
    /// It goes no further.
    case error(PathError, stamp: Int64?)
  }

  /// Takes all that has come, stamps first, and calls `body` with each request that something came for. What is not about a
  /// request of ours is passed over.
  ///
  /// With `errors`, and while what is sent is stamped, the error queue is asked first, which has stamps and errors of the path.
  func receive(errors: Bool, into buffer: inout EchoBuffer, _ body: (EchoToken, Message) -> Void) {
    // A bound: whoever floods this host must not keep the loop.
    for isError in errors || socket.stampsSent ? [true, false] : [false] {
      for _ in 0..<Self.mostBatches {
        let count = socket.receive(errors: isError, into: &buffer) { bytes, envelope in
          if let (token, message) = read(bytes, envelope) { body(token, message) }
        }
        if count < EchoBuffer.capacity { break }
      }
    }
  }

  private static let mostBatches = 64

  private func read(_ bytes: RawSpan, _ envelope: EchoEnvelope) -> (EchoToken, Message)? {
    switch envelope.origin {
    case .sent:
      guard let stamp = envelope.stamp else { return nil }
      return packet.sent(bytes).map { ($0, .sent(stamp)) }
    case nil:
      let hasHeader = socket.kind == .raw && family == .v4
      guard let reference = packet.reply(bytes, family, hasHeader: hasHeader),
        let token = token(of: reference)
      else { return nil }
      return (token, .reply(from: envelope.peer, stamp: envelope.stamp))
    case .path(let type, let code, let info):
      guard let reference = packet.quoted(bytes, family), let token = token(of: reference) else { return nil }
      let reason = PathError.Reason(family, type: type, code: code, info: info)
      // A router may not cut what may not be cut here.
      if case .tooBig(let mtu) = reason, mtu < Self.usualRoom, socket.refusesLong { isNarrow = true }
      if reason == .timeExceeded, let router = envelope.offender {
        return (token, .timeExceeded(by: router, stamp: envelope.stamp))
      }
      return (token, .error(PathError(reason, reporter: envelope.offender), stamp: envelope.stamp))
    case .local(let errno, let info):
      guard let reference = packet.quoted(bytes, family), let token = token(of: reference) else { return nil }
      return (token, .error(PathError(PathError.Reason(errno, info: info)), stamp: nil))
    }
  }

  private func token(of reference: EchoPacket.Reference) -> EchoToken? {
    // A raw socket sees what is said of the requests of others, too.
    guard reference.identifier == socket.identifier else { return nil }
    if let token = reference.token { return token }
    guard !reference.isForeign, Int(reference.sequence) < tokens.count else { return nil }
    return EchoToken(rawValue: tokens[Int(reference.sequence)])
  }
}

extension PathError.Reason {
  /// What an ICMP message says (RFC 792, RFC 1812 section 5.2.7, RFC 4443 section 3).
  init(_ family: EchoSocket.Family, type: UInt8, code: UInt8, info: UInt32) {
    self =
      switch (family, type, code) {
      case (.v4, 11, _), (.v6, 3, _): .timeExceeded
      case (.v4, 3, 0), (.v4, 3, 6), (.v4, 3, 8), (.v4, 3, 11), (.v6, 1, 0): .networkUnreachable
      case (.v4, 3, 1), (.v4, 3, 7), (.v4, 3, 12), (.v6, 1, 2), (.v6, 1, 3): .hostUnreachable
      case (.v4, 3, 2), (.v4, 3, 3), (.v6, 1, 4): .portUnreachable
      case (.v4, 3, 9), (.v4, 3, 10), (.v4, 3, 13), (.v6, 1, 1), (.v6, 1, 5), (.v6, 1, 6): .prohibited
      case (.v4, 3, 4), (.v6, 2, _): .tooBig(mtu: info)
      default: .other(type: type, code: code)
      }
  }

  /// Why this host's kernel refuses to send.
  init(_ errno: Errno, info: UInt32 = 0) {
    self =
      switch errno {
      // Without the family, or an address of it, nothing leads there.
      case .networkUnreachable, .networkDown, .addressFamilyNotSupported, .addressNotAvailable:
        .networkUnreachable
      case .noRouteToHost, .hostIsDown: .hostUnreachable
      // What an output filter drops is EPERM, a broadcast address without leave EACCES.
      case .notPermitted: .prohibited
      case .permissionDenied: .notPermitted
      case .messageTooLong: .tooBig(mtu: info)
      default: .notSent
      }
  }
}

/// Whether so much is sent that less is to be done for each request. Does no I/O.
struct SendRate: Sendable {
  /// Above this rate the kernel's stamps of what is sent, and a look at each reply when it comes, cost more than they tell.
  private static let highPerSecond = 2000.0

  /// How long requests are counted before it is decided. Many targets that begin cost more until then.
  private static let window = Duration.milliseconds(250)

  private var count = 0
  private var since: Instant
  /// True when the rate was high in the last window, which is 250 ms or longer.
  private(set) var isHigh = false

  /// Nothing was sent before `now`.
  init(at now: Instant) { since = now }

  /// Takes note that `count` requests are sent.
  mutating func add(_ count: Int, at now: Instant) {
    self.count += count
    let passed = now - since
    guard passed >= Self.window else { return }
    isHigh = Double(self.count) > Self.highPerSecond * passed.inSeconds
    (self.count, since) = (0, now)
  }
}
