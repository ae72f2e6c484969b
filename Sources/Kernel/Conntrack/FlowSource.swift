/// Where the connection table is read.
public enum FlowSource: String, Sendable, CaseIterable {
  /// netlink where it is allowed, else /proc.
  case auto
  /// ctnetlink, with its events.
  case netlink
  /// /proc/net/nf_conntrack.
  case procfs

  /// Opens the table. With `looks` the owners of new flows are looked up, where the kernel tells of new flows, and
  /// with `namespaces` in other network namespaces too. Errors: `notPermitted`, `unsupported`; with `auto` those of netlink.
  public func open(namespaces: Bool = false, looks: Bool = true) throws(KernelError) -> any FlowTable {
    switch self {
    case .netlink: return try LiveFlowTable(namespaces: namespaces, looks: looks)
    case .procfs: return try ProcfsFlowTable()
    case .auto:
      do throws(KernelError) { return try LiveFlowTable(namespaces: namespaces, looks: looks) } catch {
        guard let table = try? ProcfsFlowTable() else { throw error }
        return table
      }
    }
  }
}
