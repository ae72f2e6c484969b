/// Where a process runs: control group, unit, container and network namespace.
public struct ProcessPlace: Sendable, Hashable {
  /// Its control group, as /proc/PID/cgroup names it; nil for the root and where it may not be read.
  public var cgroup: String?
  /// The systemd unit that it belongs to, `nginx.service`; nil outside of any.
  public var unit: String?
  /// Its container: the first twelve digits of its identifier, or its name; nil outside of any.
  public var container: String?
  /// The inode of its network namespace; nil for this program's own, and where it may not be read.
  public var networkNamespace: UInt64?

  /// Makes a place; without arguments, one of which nothing is known.
  public init(
    cgroup: String? = nil, unit: String? = nil, container: String? = nil, networkNamespace: UInt64? = nil
  ) {
    self.cgroup = cgroup
    self.unit = unit
    self.container = container
    self.networkNamespace = networkNamespace
  }
}
