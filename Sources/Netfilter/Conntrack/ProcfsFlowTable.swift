public import Model
import SystemRuntime
import SystemPackage

/// The connection table through /proc, for kernels or sandboxes without ctnetlink.
///
/// /proc gives no identifiers, so that a tuple that is used again within a tick is one flow with a counter
/// that fell; and it cannot show whether the table changed while it was read.
public final class ProcfsFlowTable: FlowTable {
  private let path: String
  private var reader = LineReader()
  /// Lines that could not be understood; /proc does not say that the table changed while it was read.
  public private(set) var condition = FlowTableCondition()

  /// Finds the table's file below `root`: `nf_conntrack`, or `ip_conntrack` on older kernels.
  ///
  /// Errors: `notPermitted`, `unsupported` where there is neither.
  public init(root: String = "/proc") throws(KernelError) {
    for path in ["\(root)/net/nf_conntrack", "\(root)/net/ip_conntrack"] {
      if try Self.open(path) != nil {
        self.path = path
        return
      }
    }
    throw .unsupported("netfilter's connection table in \(root)/net")
  }

  /// Replaces `snapshot` by all entries of the file.
  public func read(into snapshot: inout FlowSnapshot, at now: Instant) throws(KernelError) {
    try snapshot.replace { (flows) throws(KernelError) in try read(into: &flows) }
  }

  private func read(into flows: inout [Flow]) throws(KernelError) {
    guard let file = try Self.open(path) else { throw .unsupported(path) }
    var broken: UInt64 = 0
    do throws(Errno) {
      broken += try reader.forEachLine(of: file) { line in
        let bytes = line.indices.map { line[$0] }
        if let flow = FlowLine.parse(bytes[...]) { flows.append(flow) } else { broken += 1 }
      }
    } catch { throw .failed("reading \(path)", error) }
    condition.malformed += broken
  }

  /// The open file; nil when there is none.
  private static func open(_ path: String) throws(KernelError) -> OpenFile? {
    do throws(Errno) { return try OpenFile(path) } catch {
      switch error {
      case .noSuchFileOrDirectory: return nil
      case .permissionDenied, .notPermitted: throw .notPermitted("reading \(path)")
      default: throw .failed("reading \(path)", error)
      }
    }
  }
}
