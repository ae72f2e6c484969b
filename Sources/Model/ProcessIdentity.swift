/// A process that is distinguished from any other that has or had its pid.
public struct ProcessIdentity: Sendable, Hashable, Comparable {
  /// The process (thread group) identifier.
  public var pid: Int32
  /// When it started, in clock ticks since boot (proc_pid_stat(5), field 22).
  public var startTime: UInt64

  /// Makes an identity.
  public init(pid: Int32, startTime: UInt64) {
    self.pid = pid
    self.startTime = startTime
  }

  /// The older process first, then the smaller pid.
  public static func < (left: ProcessIdentity, right: ProcessIdentity) -> Bool {
    (left.startTime, left.pid) < (right.startTime, right.pid)
  }
}

/// What is known of a process: who it is, and what it runs.
public struct ProcessDescription: Sendable, Hashable {
  /// Who it is.
  public var identity: ProcessIdentity
  /// The real user.
  public var uid: UInt32
  /// The path of the running file, nil where it may not be read or there is none (kernel threads).
  public var executable: String?
  /// The first arguments, the program's name included; enough to identify an interpreter's script.
  public var arguments: [String]
  /// All arguments joined by spaces; `[comm]` for a process without any, as ps(1) writes it.
  public var commandLine: String
  /// The command lines of its ancestors, the parent's first; empty unless asked for.
  public var ancestors: [String]
  /// Its control group, unit, container and network namespace.
  public var place: ProcessPlace

  /// Makes a description.
  public init(
    identity: ProcessIdentity, uid: UInt32, executable: String?, arguments: [String], commandLine: String,
    ancestors: [String] = [], place: ProcessPlace = ProcessPlace()
  ) {
    self.identity = identity
    self.uid = uid
    self.executable = executable
    self.arguments = arguments
    self.commandLine = commandLine
    self.ancestors = ancestors
    self.place = place
  }
}
