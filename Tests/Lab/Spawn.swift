import Glibc

/// posix_spawn(3): the one place of the laboratory that hands memory to C.
enum Spawn {
  /// Starts a program in a process group of its own with all signals at their defaults and returns its pid.
  ///
  /// Descriptors of ours are closed on exec.
  static func start(
    _ arguments: [String], environment: [String], input: String, output: ChildProcess.Output,
    brokenPipe: CInt?, folder: String
  ) throws -> pid_t {
    var actions = unsafe posix_spawn_file_actions_t()
    unsafe posix_spawn_file_actions_init(&actions)
    defer { unsafe posix_spawn_file_actions_destroy(&actions) }
    unsafe posix_spawn_file_actions_addopen(&actions, 0, input, O_RDONLY, 0)
    switch output {
    case .file:
      unsafe posix_spawn_file_actions_addopen(&actions, 1, "\(folder)/stdout", O_WRONLY | O_APPEND, 0)
    case .closed: unsafe posix_spawn_file_actions_addclose(&actions, 1)
    case .brokenPipe: unsafe posix_spawn_file_actions_adddup2(&actions, brokenPipe ?? 1, 1)
    }
    unsafe posix_spawn_file_actions_addopen(&actions, 2, "\(folder)/stderr", O_WRONLY | O_APPEND, 0)

    var attributes = posix_spawnattr_t()
    unsafe posix_spawnattr_init(&attributes)
    defer { unsafe posix_spawnattr_destroy(&attributes) }
    var all = sigset_t()
    var none = sigset_t()
    unsafe sigfillset(&all)
    unsafe sigemptyset(&none)
    unsafe posix_spawnattr_setsigdefault(&attributes, &all)
    unsafe posix_spawnattr_setsigmask(&attributes, &none)
    unsafe posix_spawnattr_setflags(
      &attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK))

    // strdup: the strings must stay where they are during the call.
    var words = unsafe arguments.map { unsafe strdup($0) } + [nil]
    var variables = unsafe environment.map { unsafe strdup($0) } + [nil]
    defer { unsafe (words + variables).forEach { unsafe free($0) } }
    var pid: pid_t = 0
    let error = unsafe posix_spawnp(&pid, arguments[0], &actions, &attributes, &words, &variables)
    guard error == 0 else { throw LabError.notStarted(command: arguments[0], errno: error) }
    return pid
  }
}
