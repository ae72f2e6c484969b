public import Model
import Netfilter

/// Who moved how much payload through which sockets since it was last asked.
public struct WitnessReport: Sendable {
  /// What a process moved through a socket.
  public struct Use: Sendable, Hashable {
    /// The socket's ends and protocol.
    public var socket: SocketEntry
    /// The inode of its network namespace.
    public var network: UInt64
    /// Made by the kernel for itself: its process is whoever the kernel worked for.
    public var isKernel: Bool
    /// Who moved it.
    public var process: ProcessIdentity
    /// How much.
    public var usage: Usage

    /// Makes a use.
    public init(
      _ socket: SocketEntry, in network: UInt64, isKernel: Bool = false, by process: ProcessIdentity,
      _ usage: Usage
    ) {
      self.socket = socket
      self.network = network
      self.isKernel = isKernel
      self.process = process
      self.usage = usage
    }
  }

  /// Each socket with each process that used it.
  public var uses: [Use] = []
  /// Bytes of network packets that processes sent in frames, past the connection table (packet(7)).
  public var frames: [ProcessIdentity: UInt64] = [:]
  /// Processes that run another program than before.
  public var renamed: [ProcessIdentity] = []
  /// What all those processes run, also where they have ended.
  public var descriptions: [ProcessIdentity: ProcessDescription] = [:]
  /// The program is gone: there is nothing after this.
  public var isLast = false

  /// Makes an empty report.
  public init() {}
}

/// Which sockets a witness is asked for.
public enum SocketNetworks: Sendable, Hashable {
  /// Those of this program's network namespace.
  case own
  /// Those of all.
  case all
}

/// Reports who used sockets.
public protocol SocketWitness: AnyObject {
  /// What was used since the last call.
  func report(at now: Instant, of networks: SocketNetworks) -> WitnessReport

  /// The inode of the network namespace whose sockets are this host's own.
  var network: UInt64? { get }
  /// Whether that is the network namespace of the machine's first process, so that what containers move passes it.
  var isHost: Bool { get }
  /// Whether it reports frames.
  var seesFrames: Bool { get }

  /// What did not go as it should, since start.
  var condition: WitnessCondition { get }
}

/// What a witness could not report, since start.
public struct WitnessCondition: Sendable, Hashable {
  /// Uses of sockets for which there was no room.
  public var unseen: UInt64 = 0
  /// Records that could not be understood.
  public var malformed: UInt64 = 0

  /// Makes the condition of one that has reported nothing yet.
  public init() {}
}

extension SocketEntry {
  /// A socket of the protocols of IP; nil for another family's, and for the parts of an MPTCP connection, which has a
  /// socket of its own.
  package init?(_ socket: WitnessedSocket) {
    guard let transport = socket.transport, !socket.isSubflow else { return nil }
    self.init(
      transport: transport, isV6: socket.isV6, isV6Only: socket.isV6Only, local: socket.local,
      remote: socket.remote, inode: socket.inode, uid: socket.uid)
  }
}

extension ProcessDescription {
  /// What was reported of a process in its own context: also of one that has ended. `own` is the network namespace of
  /// this program.
  package init(_ process: WitnessedProcess, _ groups: inout ControlGroups, own: UInt64?) {
    let isOurs = process.network == own || process.network == 0
    let path = groups.path(of: process.controlGroup).flatMap { CgroupPath($0) }
    self.init(
      identity: process.user.identity, uid: process.uid, executable: nil, arguments: process.arguments,
      commandLine: process.text,
      place: ProcessPlace(
        cgroup: path?.text, unit: path?.unit, container: path?.container,
        networkNamespace: isOurs ? nil : process.network))
  }
}
