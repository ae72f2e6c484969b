import Model

/// Runs the commands of a notifier: the shell around `CommandQueue`, which decides.
public struct CommandService: Sendable {
  private enum Happening: Sendable {
    case submitted(Command)
    case closed
    case ended(Command, CommandOutcome)
    case tooLate
  }

  let commands: AsyncStream<Command>
  let runner: CommandRunner
  let drops: DropCounter
  let warn: @Sendable (Warning) -> Void

  /// Runs commands until the notifier is finished and then until the last one has ended, within its timeout; those that
  /// wait may still be started for ten seconds. When the task is cancelled, running commands are ended and what waits is
  /// dropped.
  public func run() async { await run(drainTime: .seconds(10)) }

  func run(drainTime: Duration) async {
    var queue = CommandQueue()
    var failures = FailureLog()
    var isOpen = true
    await withTaskGroup(of: Happening.self) { group in
      group.addTask { await nextCommand() }
      while let happening = await group.next() {
        switch happening {
        case .submitted(let command):
          queue.add(command)
          group.addTask { await nextCommand() }
        case .closed:
          isOpen = false
          if let warning = awaited(queue, drainTime) { warn(warning) }
          group.addTask { await endOfDraining(after: drainTime) }
        case .ended(let command, let outcome):
          queue.finish(rule: command.rule.rule)
          if let warning = failures.record(outcome, of: command.rule) { warn(warning) }
        case .tooLate:
          if let warning = Self.warning(of: queue.dropWaiting()) { warn(warning) }
        }
        for command in queue.start() {
          group.addTask { .ended(command, await runner.run(command)) }
        }
        drops.set(queued: queue.dropped)
        if !isOpen, queue.isIdle { group.cancelAll() }
      }
    }
  }

  private func nextCommand() async -> Happening {
    for await command in commands {
      drops.countTaken()
      return .submitted(command)
    }
    return .closed
  }

  /// The sleep ends early when the service is cancelled: then there is nothing to wait for either.
  private func endOfDraining(after drainTime: Duration) async -> Happening {
    try? await Task.sleep(for: drainTime)
    return .tooLate
  }

  /// What to say before the end waits for commands: how many, and for how long at most.
  private func awaited(_ queue: CommandQueue, _ drainTime: Duration) -> Warning? {
    guard !queue.isIdle else { return nil }
    let count = queue.runningCount + queue.waitingCount
    let start = queue.waitingCount > 0 ? drainTime : .zero
    let limit = start + queue.longestTimeout + runner.grace
    return Warning(
      code: "notifications_awaited",
      text: "the end waits for \(count) notification \(count == 1 ? "command" : "commands"), at most "
        + "\(limit.inSeconds.fixed(1)) s: SIGKILL does not wait, lower command_timeout to wait less.")
  }

  private static func warning(of dropped: Int) -> Warning? {
    guard dropped > 0 else { return nil }
    return Warning(
      code: "notifications_dropped",
      text: "\(dropped) notifications were not run before the end: make the commands faster or fewer.")
  }
}
