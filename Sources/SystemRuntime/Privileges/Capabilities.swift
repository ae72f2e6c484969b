import CLinux

/// Capabilities (capabilities(7)): bit N stands for number N.
public struct Capabilities: OptionSet, Sendable, Hashable {
  /// The set as the kernel writes it.
  public let rawValue: UInt64

  /// Takes the set as the kernel writes it.
  public init(rawValue: UInt64) { self.rawValue = rawValue }

  private init(number: UInt64) { rawValue = 1 << number }

  /// Changing folders of other users (CAP_DAC_OVERRIDE).
  private static let fileWriting = Capabilities(number: 1)
  /// Removing from folders with the sticky bit (CAP_FOWNER).
  private static let fileOwning = Capabilities(number: 3)
  /// Reading files and listing folders of other users (CAP_DAC_READ_SEARCH).
  static let fileReading = Capabilities(number: 2)
  /// Signals to processes of other users (CAP_KILL).
  static let signals = Capabilities(number: 5)
  /// Giving up for good what may be gained (CAP_SETPCAP).
  private static let limits = Capabilities(number: 8)
  /// Ports below 1024 (CAP_NET_BIND_SERVICE).
  static let lowPorts = Capabilities(number: 10)
  /// CAP_NET_ADMIN.
  package static let network = Capabilities(number: 12)
  /// CAP_NET_RAW.
  static let rawSockets = Capabilities(number: 13)
  /// Seeing where descriptors of other users' processes lead (CAP_SYS_PTRACE).
  package static let processes = Capabilities(number: 19)
  /// CAP_SYS_ADMIN.
  static let system = Capabilities(number: 21)
  /// Real-time priority, for itself and others (CAP_SYS_NICE).
  static let scheduling = Capabilities(number: 23)
  /// More than the usual share of memory for pipes (CAP_SYS_RESOURCE).
  static let resources = Capabilities(number: 24)

  /// Reading kernel memory in a BPF program (CAP_PERFMON).
  static let tracing = Capabilities(number: 38)
  /// Loading BPF programs (CAP_BPF).
  static let programs = Capabilities(number: 39)

  /// What reading files of other users needs.
  public static let files: Capabilities = fileReading
  /// What reading, writing and removing files of other users needs.
  public static let otherUsersFiles: Capabilities = [fileReading, fileWriting, fileOwning]
  /// What reading the connection table and turning it on needs.
  public static let tables: Capabilities = network
  /// What naming other users' processes needs.
  public static let naming: Capabilities = [fileReading, processes]
  /// What entering other network namespaces needs (setns(2)).
  public static let namespaces: Capabilities = system
  /// What listening on any port, with room for many connections, needs.
  public static let forwarding: Capabilities = [lowPorts, resources]

  /// What sending ICMP needs where `net.ipv4.ping_group_range` does not permit it.
  public static let probing: Capabilities = rawSockets

  /// What a thread needs to come before others where no limit allows it.
  public static let priority: Capabilities = scheduling

  /// What ending a command that has become another user's needs.
  public static let commands: Capabilities = signals

  /// All that a program needs that measures and loads BPF programs, and then gives up what it does not need any more. Room for
  /// the programs comes from CAP_SYS_RESOURCE before Linux 5.11.
  public static let measuring: Capabilities = [
    .tables, .naming, .namespaces, .priority, tracing, programs, resources, limits,
  ]

  private static let names: [(Capabilities, String)] = [
    (fileWriting, "CAP_DAC_OVERRIDE"), (fileOwning, "CAP_FOWNER"), (fileReading, "CAP_DAC_READ_SEARCH"),
    (signals, "CAP_KILL"), (lowPorts, "CAP_NET_BIND_SERVICE"),
    (network, "CAP_NET_ADMIN"), (rawSockets, "CAP_NET_RAW"),
    (processes, "CAP_SYS_PTRACE"), (scheduling, "CAP_SYS_NICE"),
    (system, "CAP_SYS_ADMIN"), (resources, "CAP_SYS_RESOURCE"),
    (tracing, "CAP_PERFMON"), (programs, "CAP_BPF"),
  ]

  /// The names of those that are known here, as capabilities(7) writes them.
  package var names: [String] { Self.names.filter { contains($0.0) }.map(\.1) }

  /// Whether this process may enter other network namespaces (setns(2)).
  public static var mayEnterNamespaces: Bool { namespaces.isSubset(of: effective) }

  /// Whether a process with these may load BPF programs that read the kernel.
  package var mayLoadPrograms: Bool {
    contains(Self.system) || isSuperset(of: [Self.programs, Self.tracing])
  }

  /// The effective set of this thread; empty if the kernel does not report it.
  package static var effective: Capabilities {
    var sets = clinux_capabilities()
    // In bounds: the call fills one structure.
    return unsafe clinux_get_capabilities(&sets) == 0 ? Capabilities(rawValue: sets.effective) : []
  }
}
