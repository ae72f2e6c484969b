import Glibc
import Synchronization

/// How a process ended.
public enum ProcessStatus: Sendable, Hashable, CustomStringConvertible {
  /// It returned this status.
  case exited(Int32)
  /// This signal killed it.
  case signalled(Int32)

  /// As text for a failing test.
  public var description: String {
    switch self {
    case .exited(let status): "exit status \(status)"
    case .signalled(let signal): "signal \(signal)"
    }
  }
}

/// A program that was started, in a process group of its own, with its output in files.
///
/// Files, not pipes: it never waits for a test to read. The end of its owner is its end too.
public final class ChildProcess: Sendable {
  /// What its standard output is.
  public enum Output: Sendable {
    /// A file whose lines are in `output`.
    case file
    /// Not open at all.
    case closed
    /// A pipe that nobody reads any more.
    case brokenPipe
  }

  private struct State: ~Copyable {
    var status: ProcessStatus?
    var input: Fifo?
  }

  /// Its process identifier; those that only wrap another program (`ip netns exec`, setpriv) keep it.
  public let pid: pid_t
  /// The command line, for messages.
  public let command: String
  /// What it wrote to standard output.
  public let output: GrowingText
  /// What it wrote to standard error.
  public let errors: GrowingText

  private let folder: ScratchFolder
  private let state: Mutex<State>

  /// Starts a program with its arguments, found in PATH.
  ///
  /// - Parameter environment: Variables to add to a plain environment (PATH, C.UTF-8, 80 columns, a folder for
  ///   state).
  public init(
    _ arguments: [String], environment: [String: String] = [:], output: Output = .file
  ) throws {
    folder = try ScratchFolder()
    command = arguments.joined(separator: " ").prefix(200).description
    for name in ["stdout", "stderr"] { try folder.write("", to: name, permissions: 0o666) }
    let input = try Fifo(path: "\(folder.path)/stdin")
    let inputPath = input.path
    // What a program keeps for its next start is not for other tests.
    var variables = [
      "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "COLUMNS": "80",
      "STATE_DIRECTORY": "\(folder.path)/state",
    ]
    variables.merge(environment) { _, new in new }
    self.output = try GrowingText(path: "\(folder.path)/stdout")
    errors = try GrowingText(path: "\(folder.path)/stderr")
    state = Mutex(State(input: input))
    var broken: CInt?
    if case .brokenPipe = output { broken = try Fifo.writerWithoutReader(path: "\(folder.path)/broken") }
    defer { if let broken { close(broken) } }
    pid = try Spawn.start(
      arguments, environment: variables.map { "\($0.key)=\($0.value)" }, input: inputPath,
      output: output, brokenPipe: broken, folder: folder.path)
  }

  deinit {
    closeInput()
    if status == nil {
      kill(-pid, SIGKILL)
      var word: CInt = 0
      while unsafe waitpid(pid, &word, 0) < 0, errno == EINTR {}
    }
    // What it started and left behind keeps the number from being given again: a process that has it now is another's.
    if kill(pid, 0) != 0, errno == ESRCH { kill(-pid, SIGKILL) }
  }

  /// How it ended, nil while it runs.
  public var status: ProcessStatus? {
    state.withLock { state in
      if let status = state.status { return status }
      var word: CInt = 0
      guard unsafe waitpid(pid, &word, WNOHANG) == pid else { return nil }
      // The encoding of wait(2); its macros are not imported.
      state.status = word & 0x7f == 0 ? .exited(word >> 8 & 0xff) : .signalled(word & 0x7f)
      return state.status
    }
  }

  /// Waits for its end.
  public func ended(within limit: Duration = patience) async throws -> ProcessStatus {
    try await eventually("the end of `\(command)`", within: limit, state: { "it runs; \(errors.text)" }) {
      status
    }
  }

  /// Sends a signal to this process only.
  public func signal(_ number: Int32) {
    if status == nil { kill(pid, number) }
  }

  /// Ends it and waits for that.
  @discardableResult
  public func stop(_ number: Int32 = SIGTERM) async throws -> ProcessStatus {
    signal(number)
    return try await ended()
  }

  /// Writes to its standard input.
  public func write(_ text: String) {
    state.withLock { $0.input?.write(text) }
  }

  /// Ends its standard input.
  public func closeInput() {
    state.withLock { $0.input = nil }
  }
}
