import Glibc
import Model

/// Many flows in a network namespace that tracks and counts connections.
package enum ConntrackLab {
  /// More than a small buffer holds.
  package static let flows: UInt16 = 5_000

  /// Runs `body` in a namespace that tracks and counts connections.
  package static func inside(_ body: () throws -> Void) throws {
    let child = try NamespacesChild()
    try child.inside {
      try NamespacesChild.trackConnections(counting: true)
      // On a busy machine a test takes longer than the usual half a minute.
      try run(["sysctl", "-qw", "net.netfilter.nf_conntrack_udp_timeout=600"])
      try body()
    }
  }

  /// Runs a program to its end.
  package static func run(_ arguments: [String]) throws { try OwnersChild(arguments).wait() }

  /// Makes a flow of one datagram to each of the first `count` ports, which are closed.
  package static func makeFlows(_ count: UInt16 = flows) throws {
    let socket = try SocketsOpened(AF_INET, SOCK_DGRAM, .udp)
    for port in 1...count { try socket.send(100, to: port) }
  }

  /// Waits for what must come, on this thread; a failing test waits two minutes.
  package static func eventually(_ condition: () throws -> Bool) rethrows -> Bool {
    for _ in 0..<120_000 {
      if try condition() { return true }
      usleep(1_000)
    }
    return false
  }
}
