import SystemRuntime

/// The kernel's events of processes: made, running another program, ended (linux/cn_proc.h).
///
/// Needs CAP_NET_ADMIN, the host's network namespace and its pid namespace.
package struct ProcConnector: ~Copyable {
  /// Room for some ten thousand messages; the kernel charges only what waits.
  package static let receiveBuffer: Int32 = 4 << 20

  private static let operation = "listening to the starts and ends of processes"
  private static let group: UInt32 = 1 << 0  // CN_IDX_PROC, as a bit
  private static let listen: UInt32 = 1  // PROC_CN_MCAST_LISTEN
  private static let kinds: UInt32 = 0x8000_0003  // PROC_EVENT_FORK, _EXEC and _EXIT
  private var socket: NetlinkSocket

  /// Subscribes. Where the kernel denies it, or is silent (it is, to another pid namespace), it throws.
  package init(receiveBuffer: Int32 = Self.receiveBuffer) throws(KernelError) {
    var socket = try NetlinkSocket(.connector, groups: Self.group)
    try socket.setReceiveBuffer(receiveBuffer)
    try socket.setNonBlocking()
    try Self.subscribe(&socket)
    self.socket = socket
  }

  private static func subscribe(_ socket: inout NetlinkSocket) throws(KernelError) {
    try socket.post(message([listen]), operation)
    // The kernel has answered before the call that asked returns; other events may come before.
    var answer: UInt32?
    waiting: while answer == nil {
      let look = try socket.receiveNow(operation) { _, payload in
        if case .acknowledged(let error)? = ProcConnectorMessage(payload) { answer = error }
      }
      if case .nothing = look { break waiting }
    }
    guard let answer else {
      throw .unsupported("events of processes (the proc connector) in this pid namespace")
    }
    guard answer == 0 else { throw .notPermitted(operation) }
    // Linux 6.6 and later then send nothing else; older ones do not know this message and pass it over.
    try socket.post(message([listen, kinds]), operation)
  }

  /// The descriptor, for waiting; it stays this value's.
  package var descriptor: Int32 { socket.descriptor }

  /// Hands over what has come, in its order, until nothing waits or `limit` messages were read.
  package mutating func receive(
    limit: Int, _ body: (ProcConnectorMessage) -> Void
  ) throws(KernelError) -> NetlinkSocket.Receipt {
    var receipt = NetlinkSocket.Receipt()
    for _ in 0..<limit {
      let look = try socket.receiveNow(Self.operation) { _, payload in
        if let message = ProcConnectorMessage(payload) { body(message) } else { receipt.malformed += 1 }
      }
      if !receipt.take(look) { break }
    }
    return receipt
  }

  /// A message to the connector: struct cn_msg with the given words.
  private static func message(_ words: [UInt32]) -> NetlinkRequest {
    let identifier = ProcConnectorMessage.identifier
    let header = [identifier, identifier, 0, 0, UInt32(words.count * 4)]
    let bytes = (header + words).flatMap { word in
      (0..<4).map { UInt8(truncatingIfNeeded: word.littleEndian >> (8 * $0)) }
    }
    return NetlinkRequest(type: NetlinkHeader.Control.done, flags: 0, fixed: bytes)
  }
}
