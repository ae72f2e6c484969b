import Glibc

/// Standard input, output and error, which a caller may have closed.
public enum StandardDescriptors {
  /// Fills those that are closed, so that no file that we open later becomes one of them. Call it first of all.
  ///
  /// Input and error become /dev/null; writing to an output that was closed fails as before.
  public static func fill() {
    for number in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] where fcntl(number, F_GETFD) < 0 {
      // open(2) returns the lowest number that is free: this one.
      _ = unsafe open("/dev/null", number == STDERR_FILENO ? O_WRONLY : O_RDONLY)
    }
  }
}
