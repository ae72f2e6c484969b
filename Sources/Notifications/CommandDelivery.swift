import Model
import SystemRuntime
import Subprocess
import SystemPackage

/// Delivers notifications to a command: no shell, its own process group, facts by environment, the line on stdin.
///
/// Its stdout and stderr go to `output`, directly: there is no pipe of ours that it could fill or a grandchild could
/// hold open, and no /dev/null is needed. swift-subprocess resets the signal mask and all dispositions, closes every
/// other descriptor and reaps the child.
struct CommandDelivery: Delivery {
  /// What to run.
  let rule: CommandRule
  /// Where the command's own words go.
  let output: CInt
  /// From SIGTERM to SIGKILL.
  var grace = Duration.seconds(2)

  private static let nothing = Signal(rawValue: 0)

  var kind: DeliveryKind { .command }

  var deliversEnds: Bool { rule.runsOnResolve }

  var timeLimit: Duration { rule.timeout + grace }

  func attempt(_ notification: Notification) async -> DeliveryOutcome {
    await run(for: notification).delivery(by: rule)
  }

  /// Runs the command until it ends. At its timeout SIGTERM, then SIGKILL goes to its whole process group. What it
  /// leaves running in the background when it ends in time is left alone, as a shell does.
  func run(for notification: Notification) async -> CommandOutcome {
    if Task.isCancelled { return .abandoned }
    guard let program = rule.words.first else { return .notFound }
    let given = CommandEnvironment(notification)
    let variables = given.variables.map { (Environment.Key(stringLiteral: $0), Optional($1)) }
    var options = PlatformOptions()
    options.processGroupID = 0
    options.teardownSequence = [
      .gracefulShutDown(toProcessGroup: true, allowedDurationToNextStep: grace)
    ]
    let output = FileDescriptor(rawValue: output)
    do {
      let input = try Self.pipe(holding: given.input)
      let result = try await Subprocess.run(
        program.contains("/") ? .path(FilePath(program)) : .name(program),
        arguments: Arguments(Array(rule.words.dropFirst())),
        environment: .inherit.updating(Dictionary(uniqueKeysWithValues: variables)),
        platformOptions: options,
        input: .fileDescriptor(input, closeAfterSpawningProcess: true),
        output: .fileDescriptor(output, closeAfterSpawningProcess: false),
        error: .fileDescriptor(output, closeAfterSpawningProcess: false)
      ) { execution in
        await wait(for: execution, atMost: rule.timeout)
      }
      if Task.isCancelled { return .abandoned }
      if result.closureResult { return .timedOut }
      switch result.terminationStatus {
      case .exited(0): return .succeeded
      case .exited(let status): return .failed(status: status)
      case .signaled(let signal): return .killed(signal: signal)
      }
    } catch let error as SubprocessError where error.code == .executableNotFound {
      return .notFound
    } catch {
      if Task.isCancelled { return .abandoned }
      return .notStarted("\(error)", isPassing: Self.cause(of: error).map(RetryPolicy.isPassing) ?? false)
    }
  }

  /// Why nothing was started; nil for an error that may have come after the start.
  private static func cause(of error: any Error) -> Errno? {
    switch error {
    case let error as SubprocessError where error.code == .spawnFailed: error.underlyingError
    // Of the pipe, which is made before.
    case let error as Errno: error
    default: nil
    }
  }

  /// Waits for the end of the process, and makes it end after `timeout`; returns true when that was needed.
  private func wait<Input, Output, Failure>(
    for execution: Execution<Input, Output, Failure>, atMost timeout: Duration
  ) async -> Bool {
    let start = Instant.now
    // Signal 0 only waits (kill(2)): it gives the command its time before the signals that end it.
    await execution.teardown(using: [
      .send(signal: Self.nothing, toProcessGroup: true, allowedDurationToNextStep: timeout),
      .gracefulShutDown(toProcessGroup: true, allowedDurationToNextStep: grace),
    ])
    let isOver = Instant.now - start >= timeout
    // The steps end with the process; what it started may ignore SIGTERM. The process is not yet reaped, so its
    // group cannot be another's; an empty group is the only error.
    if isOver || Task.isCancelled { try? execution.send(signal: .kill, toProcessGroup: true) }
    return isOver
  }

  /// A pipe with all of `text` in it and no writer: the command reads it and the end, or ignores it; nobody waits.
  /// The text is no longer than `CommandEnvironment.inputLimit`, so that every pipe takes it.
  private static func pipe(holding text: String) throws -> FileDescriptor {
    let (readEnd, writeEnd) = try FileDescriptor.pipe()
    do {
      try writeEnd.closeAfter { _ = try writeEnd.writeAll(Array(text.utf8)) }
    } catch {
      try? readEnd.close()
      throw error
    }
    return readEnd
  }
}

/// How a command ended.
enum CommandOutcome: Sendable, Hashable {
  case succeeded
  case failed(status: Int32)
  case killed(signal: Int32)
  case timedOut
  /// There is no such program, or it may not be run.
  case notFound
  /// The system did not start it, and why; whether that may soon be otherwise.
  case notStarted(String, isPassing: Bool = false)
  /// The service itself was cancelled.
  case abandoned

  /// What it means for the notification that the command of `rule` was run for.
  func delivery(by rule: CommandRule) -> DeliveryOutcome {
    switch self {
    case .succeeded: .succeeded
    case .abandoned: .abandoned
    case .notStarted(_, isPassing: true): .notBegun(sentence(rule))
    case .failed, .killed, .timedOut, .notFound, .notStarted: .failed(sentence(rule))
    }
  }

  private func sentence(_ rule: CommandRule) -> String {
    let program = (rule.words.first ?? "").escapingControlCharacters.shortened(to: 200)
    let start = "the command `\(program)`"
    return switch self {
    case .failed(let status):
      "\(start) ended with status \(status): run it by hand and mend what it says."
    case .killed(let signal):
      "\(start) was ended by signal \(signal): run it by hand and mend it."
    case .timedOut:
      "\(start) was killed with its children after \(rule.timeout.inSeconds.fixed(1)) s: mend it or raise command_timeout."
    case .notStarted(let why, _):
      "\(start) could not be started (\(why.escapingControlCharacters)): check notification_command and the system's limits."
    case .notFound, .succeeded, .abandoned:
      "\(start) was not found or may not be run: write its full path in notification_command and make it executable."
    }
  }
}
