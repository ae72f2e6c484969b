import Model
import Subprocess
import SystemPackage

/// Runs one command: no shell, its own process group, facts by environment, the line on stdin.
///
/// Its stdout and stderr go to `output`, directly: there is no pipe of ours that it could fill or a grandchild could
/// hold open, and no /dev/null is needed. swift-subprocess resets the signal mask and all dispositions, closes every
/// other descriptor and reaps the child.
struct CommandRunner: Sendable {
  /// The name of this host, for BWMON_HOST.
  let host: String
  /// Where the command's own words go.
  let output: CInt
  /// From SIGTERM to SIGKILL.
  var grace = Duration.seconds(2)

  private static let nothing = Signal(rawValue: 0)

  /// Runs the command until it ends. At its timeout SIGTERM, then SIGKILL goes to its whole process group. What it
  /// leaves running in the background when it ends in time is left alone, as a shell does.
  func run(_ command: Command) async -> CommandOutcome {
    if Task.isCancelled { return .abandoned }
    guard let program = command.rule.words.first else { return .notFound }
    let variables = CommandEnvironment(command.alert, host: host).variables.map {
      (Environment.Key(stringLiteral: $0), Optional($1))
    }
    var options = PlatformOptions()
    options.processGroupID = 0
    options.teardownSequence = [
      .gracefulShutDown(toProcessGroup: true, allowedDurationToNextStep: grace)
    ]
    let output = FileDescriptor(rawValue: output)
    do {
      let input = try Self.pipe(holding: AlertLine(command.alert).description + "\n")
      let result = try await Subprocess.run(
        program.contains("/") ? .path(FilePath(program)) : .name(program),
        arguments: Arguments(Array(command.rule.words.dropFirst())),
        environment: .inherit.updating(Dictionary(uniqueKeysWithValues: variables)),
        platformOptions: options,
        input: .fileDescriptor(input, closeAfterSpawningProcess: true),
        output: .fileDescriptor(output, closeAfterSpawningProcess: false),
        error: .fileDescriptor(output, closeAfterSpawningProcess: false)
      ) { execution in
        await wait(for: execution, atMost: command.rule.timeout)
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
      return Task.isCancelled ? .abandoned : .notStarted("\(error)")
    }
  }

  /// Waits for the end of the process, and makes it end after `timeout`; returns true when that was needed.
  private func wait<Input, Output, Failure>(
    for execution: Execution<Input, Output, Failure>, atMost timeout: Duration
  ) async -> Bool {
    let start = ContinuousClock.now
    // Signal 0 only waits (kill(2)): it gives the command its time before the signals that end it.
    await execution.teardown(using: [
      .send(signal: Self.nothing, toProcessGroup: true, allowedDurationToNextStep: timeout),
      .gracefulShutDown(toProcessGroup: true, allowedDurationToNextStep: grace),
    ])
    let isOver = ContinuousClock.now - start >= timeout
    // The steps end with the process; what it started may ignore SIGTERM. The process is not yet reaped, so its
    // group cannot be another's; an empty group is the only error.
    if isOver || Task.isCancelled { try? execution.send(signal: .kill, toProcessGroup: true) }
    return isOver
  }

  /// A pipe with all of `text` in it and no writer: the command reads it and the end, or ignores it; nobody waits.
  /// The line is shorter than the 4096 bytes that the smallest pipe takes (pipe(7)).
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
