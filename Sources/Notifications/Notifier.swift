public import Model
import Synchronization

/// Hands alerts to their commands without ever making its caller wait.
///
/// The loop that measures owns the notifier and calls `submit`; `service` runs the commands in a task of its own.
public struct Notifier: Sendable {
  /// What runs the commands; the program gives it a task.
  public let service: CommandService

  private struct Beginning {
    var rule: CommandRule
    /// False while all that was to be said of it was dropped: its end is then dropped as well.
    var isTold: Bool
  }

  private let commands: AsyncStream<Command>.Continuation
  private let drops = DropCounter()
  private var rules: [String: CommandRule] = [:]
  /// How the alerts which still go on began: a reload may take their rule away before the end is told.
  private var begun: [Command.Episode: Beginning] = [:]
  private var hasForgotten = false

  /// The most alerts that wait for the service to look at them; ends of what was told wait beyond it.
  static let capacity = 1024
  /// The most alerts that go on at a time whose rule is remembered.
  static let mostBegun = 16_384

  /// Makes a notifier for the commands of `rules`, on the host of this name. What commands write goes to the
  /// descriptor `output`, stderr unless told; `warn` is called with one warning for each rule whose command
  /// fails, until it succeeds again.
  public init(
    rules: [CommandRule], host: String, output: CInt = 2,
    warn: @escaping @Sendable (Warning) -> Void
  ) {
    let (stream, continuation) = AsyncStream.makeStream(
      of: Command.self, bufferingPolicy: .unbounded)
    commands = continuation
    service = CommandService(
      commands: stream, runner: CommandRunner(host: host, output: output),
      drops: drops, warn: warn)
    reload(rules: rules)
  }

  /// How many notifications were not run because too many waited, since start.
  public var dropped: UInt64 { drops.total }

  /// Has the command of the alert's rule run, if it has one; returns at once.
  ///
  /// A command sees the beginning and the end of an alert or neither: where too many wait, the end of one that began
  /// untold is dropped, and the end of one that was told is not.
  public mutating func submit(_ alert: Alert) {
    switch alert.state {
    case .firing, .repeated: begin(alert)
    case .resolved(let why): end(alert, why)
    }
  }

  /// Uses `rules` for all alerts that are submitted from now on; alerts that only end now still find the rule
  /// that they began with. The last of two rules of one name counts.
  public mutating func reload(rules: [CommandRule]) {
    self.rules = Dictionary(rules.map { ($0.rule, $0) }) { _, last in last }
  }

  private mutating func begin(_ alert: Alert) {
    guard let rule = rules[alert.rule] else { return }
    let episode = Command.Episode(alert)
    let isTold = drops.waiting < Self.capacity
    if isTold { send(alert, rule) } else { drops.countUnread() }
    if begun[episode] != nil {
      if isTold { begun[episode]?.isTold = true }
    } else if begun.count < Self.mostBegun {
      begun[episode] = Beginning(rule: rule, isTold: isTold)
    } else {
      hasForgotten = true
    }
  }

  private mutating func end(_ alert: Alert, _ why: Alert.Resolution) {
    let beginning = begun.removeValue(forKey: Command.Episode(alert))
    // Nobody was told that it began.
    if beginning == nil, !hasForgotten { return }
    if let beginning, !beginning.isTold {
      if beginning.rule.runsOnResolve { drops.countUnread() }
      return
    }
    // A new rule of the same name knows nothing of what the removed one said.
    let old = beginning?.rule
    let current = why == .removed ? old ?? rules[alert.rule] : rules[alert.rule] ?? old
    guard let rule = current, beginning != nil || drops.waiting < Self.capacity else {
      return drops.countUnread()
    }
    send(alert, rule)
  }

  private func send(_ alert: Alert, _ rule: CommandRule) {
    drops.countSubmitted()
    commands.yield(Command(alert: alert, rule: rule))
  }

  /// Takes no more alerts: the service ends when the commands of those before have ended.
  public func finish() { commands.finish() }
}

/// Counts what waits and what was dropped, where the loop and the service can both see it.
final class DropCounter: Sendable {
  private let submitted = Atomic<Int>(0)
  private let unread = Atomic<UInt64>(0)
  private let queued = Atomic<UInt64>(0)

  var total: UInt64 { unread.load(ordering: .relaxed) + queued.load(ordering: .relaxed) }

  /// How many commands the service has not looked at.
  var waiting: Int { submitted.load(ordering: .relaxed) }

  func countSubmitted() { submitted.add(1, ordering: .relaxed) }

  func countTaken() { submitted.subtract(1, ordering: .relaxed) }

  func countUnread() { unread.add(1, ordering: .relaxed) }

  func set(queued count: UInt64) { queued.store(count, ordering: .relaxed) }
}
