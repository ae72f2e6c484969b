import CBPF
import Glibc
import Model
import SystemRuntime

/// What the BPF program reports in its ring (Sources/CBPF/include/witness_records.h).
package enum WitnessRecord: Sendable, Hashable {
  /// A process was seen to use a socket for the first time, or the socket's ends have changed.
  case firstUse(slot: UInt32, user: WitnessUser, socket: WitnessedSocket, payload: Usage)
  /// What a process runs.
  case process(WitnessedProcess)
  /// A process that was reported has ended.
  case exited(WitnessUser)

  /// Decodes one record; nil when it ends too early, is of an unknown kind, or claims what cannot be.
  package init?(_ bytes: borrowing RawSpan) {
    switch bytes.load(0, as: UInt32.self).map(CInt.init(truncatingIfNeeded:)) {
    case WITNESS_FIRST_USE:
      guard let record = bytes.structure(as: witness_first_use.self),
        let user = WitnessUser(record.process, record.start)
      else { return nil }
      self = .firstUse(
        slot: record.slot, user: user, socket: WitnessedSocket(record.socket), payload: record.socket.payload)
    case WITNESS_PROCESS:
      guard let process = WitnessedProcess(bytes) else { return nil }
      self = .process(process)
    case WITNESS_EXIT:
      guard let record = bytes.structure(as: witness_exit.self),
        let user = WitnessUser(record.process, record.start)
      else { return nil }
      self = .exited(user)
    default: return nil
    }
  }

  /// Gives each record of `buffer`, as `cbpf_read` fills it, to `body`, and adds what cannot be decoded to `malformed`.
  package static func forEach(
    in buffer: borrowing RawSpan, malformed: inout UInt64, _ body: (WitnessRecord) -> Void
  ) {
    var offset = 0
    while offset < buffer.byteCount {
      let start = offset + 8
      guard let length = buffer.load(offset, as: UInt32.self).map(Int.init), length > 0,
        buffer.byteCount - start >= length
      else {
        malformed += 1
        return
      }
      if let record = WitnessRecord(buffer.extracting(start..<start + length)) {
        body(record)
      } else {
        malformed += 1
      }
      offset = start + (length + 7) / 8 * 8
    }
  }
}

extension RawSpan {
  /// The C structure at the start; nil when the bytes are fewer.
  fileprivate func structure<Value: BitwiseCopyable>(as type: Value.Type) -> Value? {
    guard byteCount >= MemoryLayout<Value>.size else { return nil }
    // In bounds: checked in the line above; the structures hold only integers, of which any bits are one.
    return unsafe unsafeLoadUnaligned(fromUncheckedByteOffset: 0, as: type)
  }
}

extension witness_socket {
  fileprivate var payload: Usage { Usage(received: consumed, sent: transmitted) }
}

/// A process as the program knows it: more exact than /proc, which counts hundredths of a second.
public struct WitnessUser: Sendable, Hashable {
  /// The thread group.
  public let pid: Int32
  /// When it started, in nanoseconds since boot.
  public let start: UInt64

  /// Nil for a number that is no pid.
  package init?(_ process: UInt32, _ start: UInt64) {
    guard process > 0, let pid = Int32(exactly: process) else { return nil }
    self.pid = pid
    self.start = start
  }

  /// As /proc/PID/stat shows it (fs/proc/array.c, nsec_to_clock_t).
  public var identity: ProcessIdentity {
    ProcessIdentity(pid: pid, startTime: start / Self.nanosecondsPerTick)
  }

  // USER_HZ is 100 on every processor that we run on.
  private static let nanosecondsPerTick: UInt64 = 10_000_000
}

/// A socket as the program saw it.
public struct WitnessedSocket: Sendable, Hashable {
  /// Distinguishes it from every other: its cookie, or with the top bit set its inode.
  public var key: UInt64
  /// Its inode in sockfs; zero once its process has closed it.
  public var inode: UInt64
  /// The inode of its network namespace.
  public var network: UInt64
  /// The user who made it.
  public var uid: UInt32
  /// The address family (AF_INET, AF_PACKET, ...).
  public var family: UInt16
  /// SOCK_STREAM, SOCK_DGRAM, ...
  public var type: UInt16
  /// The protocol of its family; above 255 for MPTCP.
  public var protocolNumber: UInt16
  /// Its own address and port; unspecified while it has none.
  public var local: Endpoint
  /// Its peer; unspecified and zero when unconnected.
  public var remote: Endpoint
  /// Made by the kernel for itself.
  public var isKernel: Bool
  /// Carries a part of an MPTCP connection.
  public var isSubflow: Bool
  /// An IPv6 socket that takes no IPv4.
  public var isV6Only: Bool
  /// Without a connection.
  public var isClosed: Bool

  /// Of packet(7): what passes is frames.
  package var isPacket: Bool { family == UInt16(AF_PACKET) }

  /// Of IPv6, which may carry IPv4.
  package var isV6: Bool { family == UInt16(AF_INET6) }

  /// What its packets carry; nil where the family is not IP's.
  public var transport: TransportProtocol? {
    guard family == UInt16(AF_INET) || family == UInt16(AF_INET6) else { return nil }
    return protocolNumber == Self.multipathTCP
      ? .tcp : UInt8(exactly: protocolNumber).map(TransportProtocol.init)
  }

  // SOCK_RAW of linux/net.h.
  private static let raw: UInt16 = 3
  // IPPROTO_MPTCP of linux/in.h.
  private static let multipathTCP: UInt16 = 262

  package init(_ socket: witness_socket) {
    key = socket.key
    inode = socket.inode
    network = UInt64(socket.network)
    uid = socket.uid
    family = socket.family
    type = socket.type
    protocolNumber = socket.`protocol`
    let isRaw = socket.type == Self.raw
    // The kernel keeps a raw socket's protocol in place of its port.
    local = Endpoint(address: IPAddress(socket.local), port: isRaw ? 0 : socket.local_port)
    remote = Endpoint(address: IPAddress(socket.remote), port: isRaw ? 0 : socket.remote_port)
    let flags = CUnsignedInt(socket.flags)
    isKernel = flags & WITNESS_KERNEL != 0
    isSubflow = flags & WITNESS_SUBFLOW != 0
    isV6Only = flags & WITNESS_V6ONLY != 0
    isClosed = flags & WITNESS_CLOSED != 0
  }
}

extension IPAddress {
  fileprivate init(_ halves: (UInt64, UInt64)) {
    self.init(high: halves.0.bigEndian, low: halves.1.bigEndian)
  }
}

/// What a process ran when it was seen.
public struct WitnessedProcess: Sendable, Hashable {
  /// Who it is.
  public let user: WitnessUser
  /// Who made it; nil for none.
  public let parent: WitnessUser?
  /// The real user.
  public let uid: UInt32
  /// The inode of its own network namespace; zero where it has none any more.
  public let network: UInt64
  /// The identifier of its control group of version 2.
  public let controlGroup: UInt64
  /// One of the kernel's threads.
  public let isKernel: Bool
  /// What ps(1) calls comm.
  public let name: String
  /// The first arguments; nil where their pages were not in memory.
  package let commandLine: CommandLine?
  /// The first of its arguments, its name included.
  package var arguments: [String] { commandLine?.arguments ?? [] }
  /// Its arguments joined by spaces; `[comm]` where they are not known, as ps(1) writes it.
  public var text: String { commandLine?.text ?? "[\(name)]" }
  /// Whether there were more bytes of arguments than were taken.
  public let isCut: Bool

  package init?(_ bytes: borrowing RawSpan) {
    let size = MemoryLayout<witness_process>.size
    guard let head = bytes.structure(as: witness_process.self),
      let user = WitnessUser(head.process, head.start),
      head.arguments_read <= head.arguments_length, bytes.byteCount - size >= Int(head.arguments_read)
    else { return nil }
    self.user = user
    parent = WitnessUser(head.parent, head.parent_start)
    uid = head.uid
    network = UInt64(head.network)
    controlGroup = head.control_group
    isKernel = head.is_kernel != 0
    let name = bytes.extracting(size - 16..<size)
    self.name = String(
      decoding: (0..<16).compactMap { name.load($0, as: UInt8.self) }.prefix { $0 != 0 }, as: UTF8.self)
    let arguments = bytes.extracting(size..<size + Int(head.arguments_read))
    commandLine = CommandLine(
      (0..<arguments.byteCount).compactMap { arguments.load($0, as: UInt8.self) }[...])
    isCut = head.arguments_length > head.arguments_read
  }
}
