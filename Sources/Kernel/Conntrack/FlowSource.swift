/// Where the connection table is read.
public enum FlowSource: String, Sendable, CaseIterable {
  /// netlink where it is allowed, else /proc.
  case auto
  /// ctnetlink, with its events.
  case netlink
  /// /proc/net/nf_conntrack.
  case procfs

  /// Opens the table. Errors: `notPermitted`, `unsupported`; with `auto` those of netlink.
  public func open() throws(KernelError) -> any FlowTable {
    switch self {
    case .netlink: return try LiveFlowTable()
    case .procfs: return try ProcfsFlowTable()
    case .auto:
      do throws(KernelError) { return try LiveFlowTable() } catch {
        guard let table = try? ProcfsFlowTable() else { throw error }
        return table
      }
    }
  }
}
