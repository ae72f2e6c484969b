import Channel
import Model
import Program
import Netfilter
import SystemRuntime

/// The connection table, read by a sensor: runmonitor, in a process of its own that has the privileges, started again when it ends.
final class SensorMeter: Meter {
  /// So long a report waits for an answer, once: while there is none, reports go on without.
  private static let patience = Duration.seconds(5)
  /// So long the first sensor may take to open everything, and to read what is there at the start.
  private static let startPatience = Duration.seconds(30)
  /// So long a reload waits for the first, to say why it cannot be used.
  private static let reloadPatience = Duration.seconds(15)
  /// So long the last answer may take: nothing comes after it.
  private static let endPatience = Duration.seconds(10)
  /// So long it may take to undo what was changed, before it is asked in another way.
  private static let undoPatience = Duration.seconds(3)

  private let launcher: Launcher
  private var channel: Channel?
  private var state: SensorState
  private let diagnostics: Diagnostics
  /// Whether sensors turn accounting off that they turned on.
  private let undoesTracking: Bool
  /// Whether accounting was on before the first sensor started; nil before that, and after the last has ended.
  private var wasAccounting: Bool?
  private var isLast = false
  /// Addresses of this host of whose interfaces it is asked who moved how much there.
  var paths: [IPAddress] = []
  /// Whether it was added to a program at work, which does not wait for it.
  private var isAdded = false
  /// Why one was ended, until it is said.
  private var unsaid: KernelError?
  /// What was measured and not returned yet.
  private var measured: Measurement?

  /// Starts the program that starts sensors, while this one has its privileges; none measures yet. Errors: `sensorLost`.
  init(
    _ settings: SensorSettings, undoesTracking: Bool, _ diagnostics: Diagnostics
  ) throws(KernelError) {
    launcher = try Launcher(try SensorProgram.path(), [SensorProgram.name, "--sensor"])
    state = SensorState(settings: settings, version: bwmonRelease)
    self.undoesTracking = undoesTracking
    self.diagnostics = diagnostics
  }

  /// Starts the first sensor and waits until it measures; one that is added to a program at work is waited for a moment only.
  /// Errors: why it cannot; what it changed is undone then.
  func start(_ filters: [FilterSettings], isAdded: Bool) throws(KernelError) {
    state.settings.filters = filters
    (isLast, self.isAdded) = (false, isAdded)
    do throws(KernelError) { try startFirst() } catch {
      finish()
      throw error
    }
  }

  private func startFirst() throws(KernelError) {
    try begin()
    try receive(until: .now + (isAdded ? Self.reloadPatience : Self.startPatience)) { $0.phase == .up }
    guard state.phase == .up || isAdded else {
      throw .sensorLost(
        "the sensor does not start: look what keeps it (`ps -C \(SensorProgram.name) -o pid,stat,wchan`).")
    }
  }

  /// Shows from now on what these filters show.
  func use(_ filters: [FilterSettings]) {
    state.settings.filters = filters
    // One that starts gets them with its settings.
    if state.phase == .up || state.phase == .preparing { send([.filters(filters)]) }
  }

  /// Has the next measurement ask for all that is believed for some seconds: it is the last.
  func refresh() { isLast = true }

  /// Errors: `sensorLost` while no sensor answers, and what it says of the kernel.
  func readings(until now: Instant) throws(KernelError) -> Measurement {
    if let failure = unsaid {
      unsaid = nil
      throw failure
    }
    let begins = state.phase == .ended
    if begins { try begin() }
    let isFirst = !state.hasMeasured && !isAdded
    let patience = isLast ? Self.endPatience : isFirst ? Self.startPatience : Self.patience
    // What was asked before is answered first. Only one report waits for it.
    let isWaited = isLast || begins || isFirst
    try receive(until: isWaited ? .now + patience : .now) { $0.phase == .up && $0.asked == nil }
    if state.isStuck(at: now) {
      try end(byForce: true)
      throw .sensorLost("the sensor did not answer for a minute, and was ended.")
    }
    // What had moved before has no interval, and is for itself.
    let isLookback = measured.map { $0.interval == nil } ?? false
    if !isLookback || isLast, let question = state.ask(isLast: isLast, paths: paths, at: now) {
      send([question])
      try receive(until: .now + patience) { $0.asked == nil }
    }
    if let measurement = measured {
      measured = nil
      return measurement
    }
    if state.asked != nil {
      throw .reported(
        "the sensor does not answer: it may be stopped, or this host is overloaded.",
        status: ExitStatus.temporary.rawValue, isLasting: false)
    }
    throw .sensorLost("the sensor does not start yet.")
  }

  /// Lets the sensor undo what it changed, and waits for that.
  func finish() {
    channel?.endSending()
    // It says what it undid, and then the channel closes.
    _ = try? receive(until: .now + Self.undoPatience) { _ in false }
    if channel != nil { _ = try? end(byForce: true) }
    // What those that were killed left.
    _ = try? launcher.undo()
    if undoesTracking, wasAccounting == false, ConntrackSettings.isAccounting() == true {
      diagnostics.warning(
        "net.netfilter.nf_conntrack_acct stays 1, because the sensor could not undo that: run "
          + "`sysctl -w net.netfilter.nf_conntrack_acct=0`.")
    }
    wasAccounting = nil
  }

  /// Takes back the warnings that hold, once the sensor has ended.
  func takeBack() -> [Warning] { state.takeBack() }

  /// Lets the program end that starts sensors.
  func close() { launcher.finish() }

  private func begin() throws(KernelError) {
    wasAccounting = wasAccounting ?? (ConntrackSettings.isAccounting() == true)
    channel = try launcher.start()
    state.start(at: .now)
  }

  /// The sensor has ended or must; returns how it did.
  @discardableResult private func end(byForce: Bool) throws(KernelError) -> ChildProgram.Ending {
    channel = nil
    state.end()
    return try launcher.ending(byForce: byForce)
  }

  /// Takes what the sensor says until `isDone` or the deadline.
  private func receive(
    until deadline: Instant, _ isDone: (SensorState) -> Bool
  ) throws(KernelError) {
    // Messages that never end must not keep it from returning.
    while !isDone(state), let message = try next(until: deadline) {
      if .now > deadline + Self.startPatience { break }
      let reaction: SensorState.Reaction
      do throws(KernelError) { reaction = try state.receive(message) } catch {
        _ = try? end(byForce: true)
        throw error
      }
      switch reaction {
      case .none: break
      case .send(let messages): send(messages)
      case .write(let line): diagnostics.line(line.last == "\n" ? String(line.dropLast()) : line)
      case .measured(let measurement): measured = measured.map { $0.followed(by: measurement) } ?? measurement
      case .failed(let fault):
        let starts = state.phase == .preparing
        if starts { _ = try? end(byForce: false) }
        // One that cannot start again does not count what moves meanwhile.
        if starts, state.hasMeasured, !fault.isLasting { throw .sensorLost(fault.text) }
        throw .reported(fault.text, status: fault.status, isLasting: fault.isLasting)
      }
    }
  }

  private func next(until deadline: Instant) throws(KernelError) -> Message? {
    let problem: ChannelError
    do throws(ChannelError) { return try channel?.receive(until: deadline) } catch { problem = error }
    let ending = try end(byForce: problem != .closed)
    throw .sensorLost(
      problem == .closed
        ? "the sensor has ended (\(ending))."
        : "the sensor was ended: \(problem).")
  }

  /// What cannot be sent because the other end has gone is noticed when an answer is awaited.
  private func send(_ messages: [Message]) {
    do throws(ChannelError) { for message in messages { try channel?.send(message) } } catch {
      if error == .closed { return }
      _ = try? end(byForce: true)
      unsaid = .sensorLost("the sensor was ended: \(error).")
    }
  }
}
