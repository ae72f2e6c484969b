import CNetlink
import Glibc
public import Model
import SystemRuntime
import SystemPackage

/// The connection table through ctnetlink. Needs CAP_NET_ADMIN.
public final class NetlinkFlowTable: FlowTable {
  private var socket: NetlinkSocket
  /// Messages that could not be understood, and dumps that the kernel marked as inconsistent (NLM_F_DUMP_INTR).
  public private(set) var condition = FlowTableCondition()

  /// Opens another socket in the place of that of `table`, and goes on with its condition.
  package init(inPlaceOf table: NetlinkFlowTable) throws(KernelError) {
    socket = try NetlinkSocket(.netfilter)
    condition = table.condition
  }

  /// Opens the socket and asks the kernel whether this process may read the table.
  ///
  /// Errors: `notPermitted` without CAP_NET_ADMIN, `unsupported` where the kernel has no ctnetlink.
  public init() throws(KernelError) {
    socket = try NetlinkSocket(.netfilter)
    // The cheapest question of the subsystem: how many entries there are.
    let question = Self.request(IPCTNL_MSG_CT_GET_STATS, flags: NetlinkHeader.Flag.acknowledge)
    try Self.explained { () throws(KernelError) in try socket.perform([question], Self.operation) }
  }

  /// Replaces `snapshot` by all entries. A dump that the kernel marks as inconsistent is repeated.
  ///
  /// Errors: those of `init`, and `neverConsistent` when no attempt was whole.
  public func read(into snapshot: inout FlowSnapshot, at now: Instant) throws(KernelError) {
    try snapshot.replace { (flows) throws(KernelError) in try read(into: &flows) }
  }

  /// Replaces `flows` by all entries.
  package func read(into flows: inout [Flow]) throws(KernelError) {
    var interrupted: UInt64 = 0
    defer { condition.interrupted += interrupted }
    // With room for those that come and end meanwhile: growing by doubling would take twice what a large table needs.
    let count = ConntrackSettings.count() ?? 0
    flows.reserveCapacity(count + count / 8)
    try ConsistentDump.read(interrupted: &interrupted) { () throws(KernelError) in
      flows.removeAll(keepingCapacity: true)
      return try dump(into: &flows)
    }
  }

  /// Appends the entries; returns whether the dump was interrupted.
  private func dump(into flows: inout [Flow]) throws(KernelError) -> Bool {
    let request = Self.request(IPCTNL_MSG_CT_GET, flags: NetlinkHeader.Flag.dump)
    var broken: UInt64 = 0
    let result = try Self.explained { () throws(KernelError) in
      try socket.dump(request, Self.operation) { type, payload in
        guard type == FlowDecoder.entryMessage else { return }
        if let flow = FlowDecoder.decode(payload, malformed: &broken) { flows.append(flow) }
      }
    }
    condition.malformed += broken + result.malformed
    return result.isInterrupted
  }

  /// Counts the entries that have ended and are kept until a listener that asked for reliable delivery has received
  /// their end (IPCTNL_MSG_CT_GET_DYING): no dump of the table lists them.
  package func countOfKept() throws(KernelError) -> Int {
    let request = Self.request(IPCTNL_MSG_CT_GET_DYING, flags: NetlinkHeader.Flag.dump)
    var count = 0
    _ = try socket.dump(request, Self.operation) { type, _ in
      if type == FlowDecoder.entryMessage { count += 1 }
    }
    return count
  }

  private static let operation = "reading the connection table"

  private static func request(_ message: cntl_msg_types, flags: UInt16) -> NetlinkRequest {
    NetlinkRequest(
      type: UInt16(NFNL_SUBSYS_CTNETLINK) << 8 | UInt16(message.rawValue), flags: flags,
      fixed: NetlinkRequest.nfgenmsg(family: UInt8(AF_UNSPEC)))
  }

  /// nfnetlink answers EINVAL for a subsystem that is not loaded.
  private static func explained<Answer>(_ body: () throws(KernelError) -> Answer) throws(KernelError)
    -> Answer
  {
    do throws(KernelError) { return try body() } catch {
      if case .failed(_, .invalidArgument) = error {
        throw .unsupported("netfilter's connection table (ctnetlink)")
      }
      throw error
    }
  }
}
