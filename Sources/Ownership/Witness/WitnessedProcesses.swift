import Model
import Netfilter

/// What those processes run that the BPF program reported, for some time after their end.
struct WitnessedProcesses: Sendable {
  private struct Process {
    var description: WitnessedProcess
    /// The same with its place, once it was asked for.
    var placed: ProcessDescription?
    var hasExited = false
    /// When it was reported or asked for last, in the order of these.
    var turn: UInt64
  }

  /// How long the name of a process that has ended is kept.
  private static let afterExit = Duration.seconds(10)
  /// Of more processes than these those that have ended are forgotten at once, and of others a part.
  static let limit = 1 << 14

  /// Processes that were forgotten for want of room though nobody reported their end, since start.
  private(set) var dropped: UInt64 = 0
  private var turn: UInt64 = 0
  private var known: [WitnessUser: Process] = [:]
  /// Those that have ended, the first to end first.
  private var exits: [(user: WitnessUser, time: Instant)] = []
  /// Those that run another program than they were reported with before, until they are taken.
  private var renamed: Set<WitnessUser> = []

  /// How many are known.
  var count: Int { known.count }

  /// What the process runs, as far as that was reported.
  subscript(user: WitnessUser) -> WitnessedProcess? { known[user]?.description }

  /// Whether some that are remembered have ended.
  var hasExits: Bool { !exits.isEmpty }

  /// Whether one that was reported has ended.
  func hasExited(_ user: WitnessUser) -> Bool { known[user]?.hasExited ?? false }

  /// Takes what a process runs.
  mutating func take(_ process: WitnessedProcess, at now: Instant) {
    turn += 1
    let former = known.updateValue(Process(description: process, turn: turn), forKey: process.user)
    if let former, former.description.text != process.text, renamed.count < Self.limit {
      renamed.insert(process.user)
    }
    if known.count > Self.limit { forget(endedBy: now) }
    if known.count > Self.limit { makeRoom() }
  }

  /// Takes that a process has ended.
  mutating func end(_ user: WitnessUser, at now: Instant) {
    guard known[user]?.hasExited == false else { return }
    known[user]?.hasExited = true
    exits.append((user, now))
  }

  /// Forgets those that have ended a while ago.
  mutating func settle(at now: Instant) { forget(endedBy: now - Self.afterExit) }

  /// Who a user is, with the place of a process, which `place` is asked for once; nil for one that is not known.
  mutating func find(
    _ user: WitnessUser, place: (WitnessedProcess) -> ProcessDescription
  ) -> Found? {
    guard let index = known.index(forKey: user) else { return nil }
    turn += 1
    known.values[index].turn = turn
    if known.values[index].description.isKernel { return .kernelThread }
    if let placed = known.values[index].placed { return .process(placed) }
    let placed = place(known.values[index].description)
    known.values[index].placed = placed
    return .process(placed)
  }

  /// What a user is.
  enum Found {
    case kernelThread
    case process(ProcessDescription)
  }

  /// Takes the processes that run another program since the last call.
  mutating func takeRenamed() -> Set<WitnessUser> {
    defer { renamed.removeAll() }
    return renamed
  }

  /// Forgets an eighth, those first that were not asked for longest: where ends are lost they are many.
  private mutating func makeRoom() {
    let oldest = known.sorted { $0.value.turn < $1.value.turn }.prefix(Self.limit / 8)
    for (user, _) in oldest { known[user] = nil }
    dropped += UInt64(oldest.count)
  }

  private mutating func forget(endedBy time: Instant) {
    let count = exits.prefix { $0.time <= time }.count
    for (user, _) in exits[..<count] where known[user]?.hasExited == true { known[user] = nil }
    exits.removeFirst(count)
  }
}
