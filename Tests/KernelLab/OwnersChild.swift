import Glibc

/// A program that this process started; it ends with its owner.
package final class OwnersChild {
  package let pid: pid_t
  private var isWaitedFor = false

  /// Starts a program found in PATH; `inherits` is a descriptor it gets under the same number.
  package init(_ arguments: [String], inherits descriptor: CInt? = nil) throws {
    var actions = unsafe posix_spawn_file_actions_t()
    unsafe posix_spawn_file_actions_init(&actions)
    defer { unsafe posix_spawn_file_actions_destroy(&actions) }
    // It may outlive a test run that crashes, whose output somebody waits for.
    for output in 1...2 as ClosedRange<CInt> {
      unsafe posix_spawn_file_actions_addopen(&actions, output, "/dev/null", O_WRONLY, 0)
    }
    // To itself: that keeps it open in the program.
    if let descriptor { unsafe posix_spawn_file_actions_adddup2(&actions, descriptor, descriptor) }
    var pid = pid_t()
    // strdup: the strings must stay where they are during the call.
    var words = unsafe arguments.map { unsafe strdup($0) } + [nil]
    defer { unsafe words.forEach { unsafe free($0) } }
    guard unsafe posix_spawnp(&pid, arguments[0], &actions, nil, &words, environ) == 0 else {
      throw SocketsOpened.Problem.call("posix_spawn", errno)
    }
    self.pid = pid
  }

  deinit { end() }

  /// Waits for its end.
  package func wait() {
    if isWaitedFor { return }
    isWaitedFor = true
    while waitpid(pid, nil, 0) < 0, errno == EINTR {}
  }

  /// Ends it.
  package func end() {
    if isWaitedFor { return }
    kill(pid, SIGKILL)
    wait()
  }
}
