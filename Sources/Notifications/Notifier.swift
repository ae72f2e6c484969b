public import Model
import Synchronization

/// Hands alerts to their commands without ever making its caller wait.
///
/// The loop that measures owns the notifier and calls `submit`; `service` runs the commands in a task of its own.
public struct Notifier: Sendable {
  /// What runs the commands; the program gives it a task.
  public let service: CommandService

  private let commands: AsyncStream<Command>.Continuation
  private let drops = DropCounter()
  private var rules: [String: CommandRule] = [:]
  /// The rules that the alerts which still go on began with: a reload may take them away before the end is told.
  private var begun: [Command.Episode: CommandRule] = [:]
  private var hasForgotten = false

  /// The most alerts that wait for the service to look at them.
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
      of: Command.self, bufferingPolicy: .bufferingOldest(Self.capacity))
    commands = continuation
    service = CommandService(
      commands: stream, runner: CommandRunner(host: host, output: output),
      drops: drops, warn: warn)
    reload(rules: rules)
  }

  /// How many notifications were not run because too many waited, since start.
  public var dropped: UInt64 { drops.total }

  /// Has the command of the alert's rule run, if it has one; returns at once.
  public mutating func submit(_ alert: Alert) {
    guard let rule = rule(of: alert) else { return }
    if case .dropped = commands.yield(Command(alert: alert, rule: rule)) { drops.countUnread() }
  }

  /// Uses `rules` for all alerts that are submitted from now on; alerts that only end now still find the rule
  /// that they began with. The last of two rules of one name counts.
  public mutating func reload(rules: [CommandRule]) {
    self.rules = Dictionary(rules.map { ($0.rule, $0) }) { _, last in last }
  }

  private mutating func rule(of alert: Alert) -> CommandRule? {
    let episode = Command.Episode(alert)
    switch alert.state {
    case .repeated: return rules[alert.rule]
    case .firing:
      guard let rule = rules[alert.rule] else { return nil }
      if begun.count < Self.mostBegun { begun[episode] = rule } else { hasForgotten = true }
      return rule
    case .resolved(let why):
      let old = begun.removeValue(forKey: episode)
      // A new rule of the same name knows nothing of what the removed one said.
      let rule = why == .removed ? old ?? rules[alert.rule] : rules[alert.rule] ?? old
      if rule == nil, hasForgotten { drops.countUnread() }
      return rule
    }
  }

  /// Takes no more alerts: the service ends when the commands of those before have ended.
  public func finish() { commands.finish() }
}

/// Counts what was dropped, where the loop and the service can both see it.
final class DropCounter: Sendable {
  private let unread = Atomic<UInt64>(0)
  private let queued = Atomic<UInt64>(0)

  var total: UInt64 { unread.load(ordering: .relaxed) + queued.load(ordering: .relaxed) }

  func countUnread() { unread.add(1, ordering: .relaxed) }

  func set(queued count: UInt64) { queued.store(count, ordering: .relaxed) }
}
