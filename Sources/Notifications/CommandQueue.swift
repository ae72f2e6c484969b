/// Decides which command may run: at most a few at once, never two of one rule, in order of their alerts.
///
/// What waits has a bound. A repetition that waits while a newer one comes says nothing that the newer one does not, so
/// one of them is dropped. When the queue is full, a repetition goes first, then the oldest firing together with
/// all that waits of it, the crowding rule's before any other's; the resolution of a firing that was never run is
/// not run either: a command sees the pair or neither.
public struct CommandQueue: Sendable {
  /// The most commands that run at once.
  public static let defaultPlaces = 4
  /// The most commands that wait.
  public static let defaultCapacity = 256

  /// How many commands were not run because too many waited.
  public private(set) var dropped: UInt64 = 0

  private let places: Int
  private let capacity: Int
  private var waiting: [Command] = []
  /// The timeout of what runs, by its rule.
  private var running: [String: Duration] = [:]
  /// Episodes whose firing was dropped and of which nothing was started since.
  private var unannounced: Set<Command.Episode> = []
  private static let mostUnannounced = 1024

  /// Makes an empty queue; both bounds are at least one.
  public init(places: Int = Self.defaultPlaces, capacity: Int = Self.defaultCapacity) {
    self.places = max(1, places)
    self.capacity = max(1, capacity)
  }

  /// True when nothing runs and nothing waits.
  public var isIdle: Bool { waiting.isEmpty && running.isEmpty }

  /// How many commands wait.
  public var waitingCount: Int { waiting.count }

  /// How many commands run.
  public var runningCount: Int { running.count }

  /// The longest that one of those that run and wait may take; zero without any.
  public var longestTimeout: Duration {
    max(running.values.max() ?? .zero, waiting.map(\.rule.timeout).max() ?? .zero)
  }

  /// Takes a command, unless its rule does not want it or another says the same.
  public mutating func add(_ command: Command) {
    if isCovered(command) { return }
    if waiting.count >= capacity {
      makeRoom(for: command.rule.rule)
      if isCovered(command) { return }
    }
    waiting.append(command)
  }

  /// Returns the commands to start now; each holds its place until `finish`.
  public mutating func start() -> [Command] {
    var started = [Command]()
    var index = 0
    while running.count < places, index < waiting.count {
      if running[waiting[index].rule.rule] == nil {
        let command = waiting.remove(at: index)
        running[command.rule.rule] = command.rule.timeout
        unannounced.remove(command.episode)
        started.append(command)
      } else {
        index += 1
      }
    }
    return started
  }

  /// Frees the place of the command of `rule`, which has ended.
  public mutating func finish(rule: String) { running[rule] = nil }

  /// Drops all that waits, and returns how many that were.
  public mutating func dropWaiting() -> Int {
    let count = waiting.count
    dropped += UInt64(count)
    waiting = []
    return count
  }

  /// True for a command that need not be run; counted when it would have been run had there been less to do.
  private mutating func isCovered(_ command: Command) -> Bool {
    let episode = command.episode
    if command.isResolved {
      let isUnknown = unannounced.contains(episode) && !waiting.contains { $0.episode == episode }
      if isUnknown { unannounced.remove(episode) }
      if isUnknown, command.rule.runsOnResolve { dropped += 1 }
      return isUnknown || !command.rule.runsOnResolve
    }
    guard command.isRepetition,
      let index = waiting.lastIndex(where: { $0.episode == episode && !$0.isResolved })
    else { return false }
    if waiting[index].isRepetition { waiting[index] = command }
    dropped += 1
    return true
  }

  private mutating func makeRoom(for rule: String) {
    let victim =
      waiting.firstIndex { $0.rule.rule == rule && $0.isRepetition }
      ?? waiting.firstIndex { $0.rule.rule == rule && !$0.isResolved }
      ?? waiting.firstIndex { $0.isRepetition }
      ?? waiting.firstIndex { !$0.isResolved }
      ?? waiting.startIndex
    let command = waiting[victim]
    let before = waiting.count
    if command.isResolved || command.isRepetition && !unannounced.contains(command.episode) {
      waiting.remove(at: victim)
    } else {
      forget(command.episode)
    }
    dropped += UInt64(before - waiting.count)
  }

  /// Takes out all that waits of an episode that no command has heard of.
  private mutating func forget(_ episode: Command.Episode) {
    let isOver = waiting.contains { $0.episode == episode && $0.isResolved }
    waiting.removeAll { $0.episode == episode }
    if isOver {
      unannounced.remove(episode)
    } else if unannounced.count < Self.mostUnannounced {
      unannounced.insert(episode)
    }
  }
}
