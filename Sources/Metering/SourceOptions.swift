import ArgumentParser
public import Model
import Netfilter
import Ownership
import SystemRuntime

/// The flags of programs that read the connection table.
public struct SourceOptions: ParsableArguments {
  /// Where the table is read.
  @Option(
    help: ArgumentHelp(
      "Where to read the connection table: auto, netlink or procfs. auto takes netlink where it is allowed."))
  public var source: FlowSource = .auto

  /// How it becomes known which process moves what.
  @Option(
    help: ArgumentHelp(
      """
      How to find the process that moved the bytes: auto, bpf (Linux 6.3), bpf-5.8 or lookup. lookup finds sockets and \
      processes after the fact and misses short-lived ones. auto takes the first that works.
      """
    ))
  public var witness: WitnessChoice = .auto

  /// Which bytes to count.
  @Option(
    help:
      "Which bytes to count: l3, those of IP packets with their headers, or payload, without (exact for UDP, within 1 % for TCP in bulk)."
  )
  public var layer: Layer = .l3

  /// Whether to turn tracking and accounting on.
  @Flag(
    help: "Turn connection tracking and byte accounting on if they are off, and off again at the end.")
  public var enableTracking = false

  /// Whether to leave them on.
  @Flag(help: "With --enable-tracking: leave both on at the end.")
  public var keepTracking = false

  /// Whether to look into other network namespaces; absent for where that is allowed.
  @Flag(
    inversion: .prefixedNo,
    help:
      "Name the owners of what containers and other network namespaces move. (default: with CAP_SYS_ADMIN, as root has)"
  )
  public var namespaces: Bool?

  /// Whether to leave out what carries tunnels.
  @Flag(
    help:
      "Leave out what carries the kernel's tunnels (GRE, IP in IP, IPsec, VXLAN, Geneve; not WireGuard, whose ports nobody tells): the flows inside are counted as well."
  )
  public var excludeTunnels = false

  /// Whether to look for what makes numbers wrong, instead of measuring.
  @Flag(
    help: "Say what makes numbers wrong on this host and how to mend it, and exit: 0 if all is well, else 1.")
  public var doctor = false

  /// For ArgumentParser.
  public init() {}

  /// These flags, for another program that has them.
  public var flags: [String] {
    ["--source", source.rawValue, "--witness", witness.rawValue, "--layer", layer.rawValue]
      + (namespaces.map { [$0 ? "--namespaces" : "--no-namespaces"] } ?? [])
      + [
        (enableTracking, "--enable-tracking"), (keepTracking, "--keep-tracking"),
        (excludeTunnels, "--exclude-tunnels"), (doctor, "--doctor"),
      ].filter(\.0).map(\.1)
  }

  /// Whether to look into other network namespaces. Asked for without CAP_SYS_ADMIN, /proc must do: slower.
  public var readsNamespaces: Bool { namespaces ?? Capabilities.mayEnterNamespaces }

  /// What reading as these flags say needs.
  public var capabilities: Capabilities {
    readsNamespaces ? [.tables, .naming, .namespaces] : [.tables, .naming]
  }

  /// Refuses combinations that make no sense.
  public mutating func validate() throws {
    if keepTracking && !enableTracking {
      throw ValidationError("--keep-tracking needs --enable-tracking.")
    }
    if doctor && enableTracking {
      throw ValidationError("--doctor changes nothing: leave --enable-tracking out.")
    }
  }
}

extension FlowSource: ExpressibleByArgument {}
extension WitnessChoice: ExpressibleByArgument {}
extension Layer: ExpressibleByArgument {}
