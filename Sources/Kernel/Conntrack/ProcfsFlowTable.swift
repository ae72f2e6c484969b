import Model

/// The connection table through /proc, for kernels or sandboxes without ctnetlink.
///
/// /proc gives no identifiers, so that a tuple that is used again within a tick is one flow with a counter
/// that fell; and it cannot tell whether the table changed while it was read.
public final class ProcfsFlowTable: FlowTable {
  private let path: String
  private var reader = LineReader()
  /// Lines that could not be understood, since start.
  public private(set) var malformed: UInt64 = 0
  /// Always zero: /proc does not say that the table changed while it was read.
  public let interrupted: UInt64 = 0

  /// Finds the table's file below `root`: `nf_conntrack`, or `ip_conntrack` on older kernels.
  public init(root: String = "/proc") throws(KernelError) {
    let candidates = ["nf_conntrack", "ip_conntrack"].map { "\(root)/net/\($0)" }
    var failure: KernelError?
    for path in candidates {
      do {
        var probe = LineReader()
        try probe.forEachLine(of: path) { _ in }
        self.path = path
        return
      } catch {
        if case .unsupported = error { continue }
        failure = error
      }
    }
    throw failure ?? .unsupported("netfilter's connection table in \(root)/net")
  }

  /// Replaces `flows` by all entries of the file.
  public func read(into flows: inout [Flow]) throws(KernelError) {
    flows.removeAll(keepingCapacity: true)
    var broken: UInt64 = 0
    try reader.forEachLine(of: path) { line in
      if let flow = FlowLine.parse(line) { flows.append(flow) } else { broken += 1 }
    }
    malformed += broken
  }
}
