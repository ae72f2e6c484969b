import Model
import SystemPackage
import SystemRuntime

/// Which of the ICMP sockets: those of traces have other hop limits than those of pings, and each flow its own identifier.
/// Targets that did not answer have one of their own: what waits for a neighbour that does not answer fills the send buffer of
/// its socket for seconds.
struct ChannelKey: Hashable, Sendable {
  var family: EchoSocket.Family
  var isTrace: Bool
  var isSilent: Bool
  var flow: Int

  init(_ family: EchoSocket.Family, isTrace: Bool, isSilent: Bool = false, flow: Int = 0) {
    (self.family, self.isTrace, self.isSilent, self.flow) = (family, isTrace, isSilent, flow)
  }

  init(token: UInt64) {
    let index = token - ProbeEngine.firstChannelToken
    self.init(
      index & 1 == 0 ? .v4 : .v6, isTrace: index & 2 != 0, isSilent: index & 4 != 0, flow: Int(index >> 3))
  }

  var token: UInt64 { ProbeEngine.firstChannelToken + UInt64(index) }

  /// Its place in a table, and what makes the identifier of each socket another one.
  var index: UInt16 {
    (family == .v4 ? 0 : 1) + (isTrace ? 2 : 0) + (isSilent ? 4 : 0) + UInt16(truncatingIfNeeded: flow) << 3
  }
}

extension ProbeEngine {
  static func readClocks() -> RoundTripClock.Reading {
    RoundTripClock.Reading(instant: .now, wall: WallClock.nanoseconds)
  }

  func advancePing(_ target: ProbedTarget, at now: RoundTripClock.Reading, _ time: Timestamp) {
    guard let due = target.ping?.advance(at: now, time) else { return }
    if !due.numbers.isEmpty { sendPings(of: target, due) }
    if due.isOver, let finished = target.ping?.takeFinished() {
      if finished.burst.loss > 0 { noteOverflow() }
      add(.ping(finished.burst), of: target, began: finished.began)
    }
  }

  private func sendPings(of target: ProbedTarget, _ due: PingSchedule.Due) {
    let key = ChannelKey(target.family, isTrace: false, isSilent: target.ping?.isSilent ?? false)
    let parts = due.numbers.lazy.map { EchoTokenPart(round: due.round, number: $0) }
    guard let channel = channel(key) else {
      for part in parts { fail(target, part, key, reason(of: key)) }
      return
    }
    for part in parts {
      channel.add(target.token(part), to: target.address, zone: target.zone, payload: target.payload)
    }
    if !unsent.contains(key) { unsent.append(key) }
  }

  func advanceTrace(_ target: ProbedTarget, at now: RoundTripClock.Reading, _ time: Timestamp) {
    var requests: [(part: EchoTokenPart, flow: Int, limit: Int)] = []
    let finished = target.trace?.advance(at: now, time) { requests.append(($0, $1, $2)) }
    for (part, flow, limit) in requests {
      let key = ChannelKey(target.family, isTrace: true, flow: flow)
      let token = target.token(part)
      if target.job.trace?.isUDP != true, let channel = channel(key) {
        // One hop limit at a time: it is the socket's.
        channel.add(
          token, to: target.address, zone: target.zone, payload: TraceDatagram.size)
        flush(key, ttl: limit)
        channel.drop()
      } else if let refusal = sendDatagram(token, of: flow, target.job, ttl: limit) {
        let reason = PathError.Reason(refusal)
        // A hop that this host has no means to ask is silent.
        if reason != .notSent { fail(target, part, key, reason) }
        if refusal.isShortage { services.note(.hops(refusal)) }
      }
    }
    datagrams.close(target: target.number) { !(target.trace?.isTracing($0) ?? false) }
    if let finished {
      noteOverflow()
      add(.trace(finished.trace), of: target, began: finished.began)
    }
  }

  /// Asks whether what looks lost had no room here.
  private func noteOverflow() {
    for (key, channel) in channels.all {
      guard let memory = channel.receiveMemory, let text = overflow.update(memory, of: key) else { continue }
      notes.append(.overflowed(text))
    }
  }

  /// Sends what waits.
  func flush() {
    let keys = unsent
    unsent = []
    for key in keys {
      flush(key, ttl: 0)
      if channels[key]?.isWaiting ?? false { unsent.append(key) }
    }
  }

  private func flush(_ key: ChannelKey, ttl: Int) {
    channels[key]?.flush(ttl: ttl, Self.readClocks) { handed in
      guard let target = targets[handed.token.target] else { return }
      let part = handed.token.part
      if let refusal = handed.refusal {
        fail(target, part, key, PathError.Reason(refusal))
      } else if key.isTrace {
        target.trace?.sent(part, of: key.flow, at: handed.reading)
      } else {
        target.ping?.sent(part, at: handed.reading)
      }
    }
  }

  /// Takes what has come by one of the sockets.
  func receive(by key: ChannelKey, _ readiness: Readiness) {
    guard let channel = channels[key] else { return }
    let reading = Self.readClocks()
    channel.receive(errors: readiness.contains(.failed), into: &buffer) { token, message in
      guard let target = targets[token.target], target.take(message, token.part, key, reading) else { return }
      answered.append(target)
    }
    if answered.isEmpty { return }
    let time = clock()
    for target in answered { advance(target, key.isTrace ? .trace : .ping, at: reading, time) }
    answered.removeAll(keepingCapacity: true)
  }

  /// A request cannot be sent: its target looks at that at once, when what it does now is done.
  private func fail(
    _ target: ProbedTarget, _ part: EchoTokenPart, _ key: ChannelKey, _ reason: PathError.Reason
  ) {
    let reading = Self.readClocks()
    guard target.take(.error(PathError(reason), stamp: nil), part, key, reading) else { return }
    let kind: ProbedTarget.Kind = key.isTrace ? .trace : .ping
    schedule(target, kind, at: target.wake(kind))
  }

  /// Why there is no socket of this kind.
  private func reason(of key: ChannelKey) -> PathError.Reason {
    switch refusals[key] {
    case .permissionDenied, .notPermitted: .notPermitted
    case let refusal?: PathError.Reason(refusal)
    case nil: .networkUnreachable
    }
  }

  /// The socket of a kind, opened when it is needed first; nil where that is refused, which is said once.
  private func channel(_ key: ChannelKey) -> EchoChannel? {
    if let channel = channels[key] { return channel }
    // A shortage passes; a privilege does not come.
    if let refusal = refusals[key], !refusal.isShortage { return nil }
    do throws(Errno) {
      let channel = try EchoChannel(
        key.family, packet.ofFlow(key.flow), identifier: identifier &+ key.index, at: .now)
      channels.add(channel, key)
      refusals[key] = nil
      watch(channel, token: key.token)
      return channel
    } catch {
      let note = Self.refusal(of: key, error)
      if !refusals.contains(where: { Self.refusal(of: $0.key, $0.value) == note }) {
        notes.append(.refused(note))
      }
      refusals[key] = error
      return nil
    }
  }

  /// Takes what was said of datagrams of a trace.
  func receiveDatagrams(_ pollToken: UInt64) {
    guard let (number, flow, answers) = datagrams.takeAnswers(pollToken, into: &buffer),
      let target = targets[number]
    else { return }
    let now = Self.readClocks()
    var isDue = false
    for taken in answers {
      let isWanted = target.trace?.answer(
        taken.request, of: flow, target.classified(taken.answer), received: now, stamp: taken.stamp)
      if isWanted ?? false { isDue = true }
    }
    if isDue { advance(target, .trace, at: now, clock()) }
  }

  private static func refusal(of key: ChannelKey, _ error: Errno) -> String {
    let family = key.family == .v4 ? "IPv4" : "IPv6"
    switch error {
    case .permissionDenied, .notPermitted:
      return
        "this user may not send ICMP: pings are lost, and traces use UDP, which filters may drop where they pass pings; "
        + "run `sysctl -w net.ipv4.ping_group_range=\"0 2147483647\"`, "
        + "or `setcap cap_net_raw+ep \(ProgramFile.own ?? "PROGRAM")`\(ProcessUser.isRoot ? "" : ", or run as root")."
    case .addressFamilyNotSupported:
      return "this host has no \(family): targets with such addresses are lost."
    case let error where error.isShortage:
      return
        "there is no ICMP socket for \(family), and nothing is known of targets until this is over: \(error). "
        + error.remedy(limit: nil)
    default:
      return "opening an ICMP socket for \(family): \(error.description). "
        + (ProcessUser.isRoot ? "Look in the kernel's log (`dmesg`)." : "Try again as root.")
    }
  }
}

extension ProbedTarget {
  /// Makes an error that this host itself reports `undeliverable`: this host is no hop of the route.
  fileprivate func classified(_ answer: TraceRound.Answer) -> TraceRound.Answer {
    guard case .stopped(let why) = answer, let reporter = why.reporter, reporter != address,
      reporter == SourceAddress.towards(address, zone: zone)
    else { return answer }
    return .undeliverable(PathError(why.reason))
  }

  /// Takes what came for a request; returns whether the target is to be advanced because of it.
  fileprivate func take(
    _ message: EchoChannel.Message, _ part: EchoTokenPart, _ key: ChannelKey,
    _ reading: RoundTripClock.Reading
  ) -> Bool {
    switch message {
    case .sent(let stamp):
      if key.isTrace { trace?.stamp(part, of: key.flow, stamp) } else { ping?.stamp(part, stamp) }
      return false
    case .reply(let peer, let stamp):
      // Only the host that was asked may answer; to a multicast or broadcast address others do.
      guard peer == address else { return false }
      if !key.isTrace { return ping?.reply(part, received: reading, stamp: stamp) ?? false }
      return trace?.answer(part, of: key.flow, .reached(peer), received: reading, stamp: stamp) ?? false
    case .timeExceeded(let router, let stamp):
      if key.isTrace {
        return trace?.answer(
          part, of: key.flow, .timeExceeded(by: router), received: reading, stamp: stamp) ?? false
      }
      return ping?.fail(part, PathError(.timeExceeded, reporter: router), at: reading.instant) ?? false
    case .error(let why, let stamp):
      if key.isTrace {
        return trace?.answer(
          part, of: key.flow, classified(.stopped(why)), received: reading, stamp: stamp) ?? false
      }
      return ping?.fail(part, why, at: reading.instant) ?? false
    }
  }
}

/// What had no room in the receive buffers of ICMP sockets: replies among it look like lost ones. A raw socket counts what is
/// not for it as well.
struct ReplyOverflow: Sendable {
  /// How many there were.
  private(set) var total: UInt64 = 0
  private var counters: [ChannelKey: UInt32] = [:]
  private var isSaid = false

  /// What the sockets ask for, in bytes; the kernel grants twice that.
  private static let wanted = 8 << 20

  /// Takes what the socket of a kind says of its receive buffer; returns what to say, the first time that it was full.
  mutating func update(_ memory: EchoSocket.ReceiveMemory, of key: ChannelKey) -> String? {
    // The counter wraps.
    let growth = memory.dropped &- counters[key, default: 0]
    counters[key] = memory.dropped
    total += UInt64(growth)
    guard growth > 0, !isSaid else { return nil }
    isSaid = true
    let start =
      "\(growth) messages had no room in the receive buffer of an ICMP socket; replies among them count as lost: "
    guard memory.room < 2 * Self.wanted else { return start + "probe fewer targets, or with fewer requests." }
    return start
      + "run `sysctl -w net.core.rmem_max=\(Self.wanted)` and start this program again, or probe fewer targets."
  }
}
