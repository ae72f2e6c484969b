import Glibc
import SystemPackage

/// Listening sockets that systemd made and keeps (sd_listen_fds(3), systemd.socket(5)).
public enum ActivatedListeners {
  private static let limit = 1024

  /// Takes over the sockets that LISTEN_FDS announces to this process; empty when there are none.
  ///
  /// Clears the announcement, so that no child takes them as its own. Throws `wrongActivation` for one that is no
  /// listening TCP socket.
  public static func take() throws(KernelError) -> [TCPListener] {
    defer { for name in ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"] { _ = unsafe unsetenv(name) } }
    guard Environment.value("LISTEN_PID").flatMap({ Int32($0) }) == getpid(),
      let text = Environment.value("LISTEN_FDS")
    else { return [] }
    var listeners: [TCPListener] = []
    // The first is SD_LISTEN_FDS_START.
    for number in 3..<3 + (try count(text)) {
      do throws(Errno) { listeners.append(try TCPListener(owning: CInt(number))) } catch {
        throw .wrongActivation(
          "socket \(number) of LISTEN_FDS is no TCP socket that listens. Give the .socket unit ListenStream= with a "
            + "port, or an address and a port: no path, no ListenDatagram=, no Accept=yes.")
      }
    }
    return listeners
  }

  /// How many sockets `text` announces.
  package static func count(_ text: String) throws(KernelError) -> Int {
    guard let count = Int(text), (0...limit).contains(count) else {
      throw .wrongActivation(
        "LISTEN_FDS=\(text.prefix(32)) must be a number up to \(limit). Let systemd set it, or unset LISTEN_PID."
      )
    }
    return count
  }
}
