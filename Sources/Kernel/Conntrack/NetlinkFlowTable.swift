import CNetfilterConntrack
import Glibc
import Model
import SystemPackage

/// The connection table through ctnetlink. Needs CAP_NET_ADMIN.
public final class NetlinkFlowTable: FlowTable {
  private var socket: NetlinkSocket
  /// Messages and attributes that could not be understood, since start.
  public private(set) var malformed: UInt64 = 0
  /// Dumps that the kernel marked as inconsistent (NLM_F_DUMP_INTR), since start.
  public private(set) var interrupted: UInt64 = 0

  /// A table this busy is not going to be quiet at the sixth attempt.
  private static let attempts = 5

  /// Opens the socket; does not yet ask for anything.
  public init() throws(KernelError) { socket = try NetlinkSocket(.netfilter) }

  /// Replaces `flows` by all entries. A dump that the kernel marks as inconsistent is repeated.
  ///
  /// Errors: `notPermitted` without CAP_NET_ADMIN, `unsupported` where the kernel has no ctnetlink,
  /// `neverConsistent` when no attempt was whole.
  public func read(into flows: inout [Flow]) throws(KernelError) {
    for _ in 0..<Self.attempts {
      flows.removeAll(keepingCapacity: true)
      if try dump(into: &flows) { return }
      interrupted += 1
    }
    throw .neverConsistent(attempts: Self.attempts)
  }

  private func dump(into flows: inout [Flow]) throws(KernelError) -> Bool {
    let request = NetlinkRequest(
      type: UInt16(NFNL_SUBSYS_CTNETLINK) << 8 | UInt16(IPCTNL_MSG_CT_GET.rawValue),
      flags: NetlinkHeader.Flag.dump, fixed: NetlinkRequest.nfgenmsg(family: UInt8(AF_UNSPEC)))
    var broken: UInt64 = 0
    let result: (outcome: NetlinkSocket.Outcome, malformed: UInt64)
    do {
      result = try socket.dump(request, "reading the connection table") { type, payload in
        guard type == FlowDecoder.entryMessage else { return }
        if let flow = FlowDecoder.decode(payload, malformed: &broken) { flows.append(flow) }
      }
    } catch .failed(_, .invalidArgument) {
      // nfnetlink answers EINVAL for a subsystem that is not loaded.
      throw .unsupported("netfilter's connection table (ctnetlink)")
    }
    malformed += broken + result.malformed
    return result.outcome == .complete
  }
}
