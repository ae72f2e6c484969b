import Glibc
import SystemPackage

/// Listening sockets that systemd made and keeps (sd_listen_fds(3), systemd.socket(5)).
public enum ActivatedListeners {
  /// Takes over the sockets that LISTEN_FDS announces to this process; empty when there are none.
  ///
  /// Clears the announcement, so that no child takes them as its own. Throws `failed` for one that is no
  /// listening TCP socket.
  public static func take() throws(KernelError) -> [TCPListener] {
    defer { for name in ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"] { _ = unsafe unsetenv(name) } }
    guard Environment.value("LISTEN_PID").flatMap({ Int32($0) }) == getpid(),
      let count = Environment.value("LISTEN_FDS").flatMap({ CInt($0) }), (1...1024).contains(count)
    else { return [] }
    var listeners: [TCPListener] = []
    // The first is SD_LISTEN_FDS_START.
    for number in 3..<3 + count {
      do throws(Errno) { listeners.append(try TCPListener(owning: number)) } catch {
        throw .failed("taking socket \(number) of LISTEN_FDS, which must be a stream that listens", error)
      }
    }
    return listeners
  }
}
