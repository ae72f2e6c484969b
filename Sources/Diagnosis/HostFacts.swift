import Model
import Netfilter
import Ownership
import SystemRuntime

/// What this host, this network namespace and the privileges of this process are, as far as numbers depend on it.
///
/// Nil where an answer could not be had because of something else that is among the facts.
public struct HostFacts: Sendable, Equatable {
  /// The connection table as it is.
  package struct Table: Sendable, Equatable {
    var entries = 0
    var uncounted = 0
    var offloaded = 0
  }

  /// A datagram that we sent to ourselves over the loopback.
  struct Probe: Sendable, Equatable {
    /// `IPv4` or `IPv6`.
    var family: String
    /// Whether the connection table has it.
    var isTracked: Bool
  }

  /// The other network namespaces.
  package struct Others: Sendable, Equatable {
    enum Wish: Sendable, Equatable { case read, denied, leftOut }
    var wish = Wish.read
    var known = 0
    var unread = 0
  }

  package var table: Result<Table, KernelError>
  /// Whether the table was read where the ends of connections are reported; nil where it could not be read.
  package var hasEndEvents: Bool?
  /// Whether the thread that listens may run before others; nil where that was not tried.
  var mayComeFirst: Bool?
  /// nf_conntrack_count.
  package var count: Int?
  /// Entries that have ended and are kept for a listener; nil where the kernel does not report how many.
  package var kept: Int?
  /// nf_conntrack_max.
  package var limit: Int?
  /// nf_conntrack_acct.
  package var isAccounting: Bool?
  /// nf_conntrack_events: 0 off, 1 on, 2 while somebody listens.
  package var events: Int?
  /// Of each family that has a loopback address.
  var probes: [Probe] = []
  var losses: ConntrackLosses?
  /// Interfaces that are bridges; nil where interfaces could not be read.
  var bridges: [String]?
  /// Whether netfilter sees the IPv4 and IPv6 packets that stay on one bridge; nil where the settings of the network
  /// cannot be read.
  var seesBridges: Bool?
  /// Protocols whose single sockets the kernel does not report.
  var withoutDiagnostics: [TransportProtocol] = []
  package var missing: Capabilities = []
  /// What the mount options of /proc hide.
  package var hidden: Warning?
  /// Processes that may not be read, of so many.
  package var denied: DeniedProcesses?
  package var processes = 0
  /// Why events of processes are not received; nil where they are.
  var eventError: KernelError?
  package var others = Others()
  /// Whether the kernel reports who moves what; nil where that was not asked.
  package var witness: WitnessProbe?
}
