import Model
import Probes
import Program
import SystemPackage
import SystemRuntime

/// The loop of netconnmon: one check after the other, and meanwhile what signals and the reader of the lines want.
struct ConnectivityLoop: ~Copyable {
  private enum Token {
    static let signals: UInt64 = 0
    static let output: UInt64 = 1
    static let names: UInt64 = 2
    static let firstOfCheck: UInt64 = 16
  }

  private let diagnostics: Diagnostics
  private let interval: Duration
  private let signals: SignalPipe
  private let poller: Poller
  private let waker: Waker

  private var check: ConnectionCheck
  private var tracker: OutageTracker
  private var writer: OutageWriter
  private var mailer: Mailer

  /// When the next check begins; nil while one is under way.
  private var due: Instant?
  private var began = Instant.now
  private var beganAt = WallClock.now()
  private var isOver = false
  private var hasSaidShortage = false

  /// Makes a loop whose first check is due at once. From here on signals only wake it.
  init(
    _ references: [ReferenceEndpoint], timeout: Duration?, interval: Duration, tracker: OutageTracker,
    writer: OutageWriter, mailer: Mailer, _ diagnostics: Diagnostics
  ) throws(KernelError) {
    let signals = try SignalPipe()
    let poller = try Poller()
    let waker = try Waker()
    do throws(Errno) {
      try poller.add(signals, token: Token.signals)
      try poller.add(waker, token: Token.names)
      if StandardOutput.isOpen { try poller.addStandardOutput(token: Token.output) }
    } catch { throw .failed("waiting for signals and standard output", error) }
    self.check = try ConnectionCheck(references, timeout: timeout, firstToken: Token.firstOfCheck) {
      waker.wake()
    }
    self.signals = signals
    self.poller = poller
    self.waker = waker
    self.interval = interval
    self.tracker = tracker
    self.writer = writer
    self.mailer = mailer
    self.diagnostics = diagnostics
    due = .now
  }

  /// Runs until a signal ends it or nobody reads the lines any more. What begins to send mail meanwhile is given to
  /// `start`.
  mutating func run(start: (MailWork) -> Void) throws(KernelError) {
    defer { mailer.finish(downSince: tracker.downSince, at: .now) }
    if !StandardOutput.isOpen { isOver = true }
    var events = PollEvents(capacity: 64)
    while !isOver {
      let now = Instant.now
      if let due {
        if due <= now { try begin(at: now) }
      } else {
        try end(check.advance(to: now, poller), at: now)
      }
      let next = due ?? check.nextMoment
      poller.wait(into: &events, timeout: next.map { $0 - .now })
      for index in 0..<events.count where !isOver { try handle(events[index], start) }
      for name in check.takeUnresolvable() { warn(of: name) }
    }
    try writer.finish()
  }

  private mutating func begin(at now: Instant) throws(KernelError) {
    due = nil
    began = now
    beganAt = WallClock.now()
    try end(check.begin(at: now, poller), at: now)
  }

  private mutating func handle(
    _ event: (token: UInt64, readiness: Readiness), _ start: (MailWork) -> Void
  ) throws(KernelError) {
    switch event.token {
    case Token.signals: handleSignals(start)
    case Token.names: waker.reset()
    case Token.output:
      let isGone = !event.readiness.isDisjoint(with: [.failed, .hungUp])
      if isGone { isOver = true } else if try writer.flush() == .closed { isOver = true }
    default:
      let now = Instant.now
      try end(check.changed(event.token, event.readiness, at: now, poller), at: now)
    }
  }

  private mutating func handleSignals(_ start: (MailWork) -> Void) {
    while let signal = signals.next() {
      switch signal {
      case .interrupt, .terminate: isOver = true
      case .hangup: if let work = mailer.reload() { start(work) }
      case .resize: continue
      }
    }
  }

  /// A check has ended if there is an outcome: after a change the next one is due at once.
  private mutating func end(_ outcome: ConnectionCheck.Outcome?, at now: Instant)
    throws(KernelError)
  {
    guard let outcome else { return }
    due = now + interval
    if writer.isFailing, try writer.flush() == .closed { isOver = true }
    switch outcome {
    case .unknown(let error): return warn(of: error)
    case .reachable, .unreachable: hasSaidShortage = false
    }
    let change = tracker.record(reachable: outcome == .reachable, attemptBegan: began, at: beganAt)
    if let change {
      due = now
      if try writer.write(change) == .closed { isOver = true }
    }
    mailer.note(change, downSince: tracker.downSince, at: now)
  }

  private func warn(of name: ConnectionCheck.Unresolvable) {
    diagnostics.warning(
      "the address of \(name.host) was not found: \(name.reason). Until it is, that reference counts as not reachable; check "
        + "the name (`getent ahosts \(name.host)`).")
  }

  private mutating func warn(of error: Errno) {
    if hasSaidShortage { return }
    hasSaidShortage = true
    diagnostics.warning(
      "cannot make a connection to check the network: \(error). Nothing is known of it until that is over. "
        + error.remedy(limit: nil))
  }
}
