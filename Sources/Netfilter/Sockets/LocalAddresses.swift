import Glibc
import Model
import SystemRuntime

/// The addresses that belong to this host, in the network namespace of this process.
public struct LocalAddresses: Sendable, Hashable {
  /// Which interface has each; zero where it is not known, or more than one has it.
  private var interfaces: [IPAddress: Int32]
  private var broadcasts: Set<IPAddress>

  /// The interface through which packets between two addresses of this host pass (linux/net.h, LOOPBACK_IFINDEX).
  public static let loopback: Int32 = 1

  /// Makes a set of the given addresses, of interfaces that are not known, and subnet broadcast addresses.
  public init(_ addresses: some Sequence<IPAddress>, broadcasts: some Sequence<IPAddress> = []) {
    self.init(interfaces: addresses.lazy.map { ($0, 0) }, broadcasts: broadcasts)
  }

  /// Makes a set of the given addresses with the numbers of their interfaces, and subnet broadcast addresses.
  public init(
    interfaces: some Sequence<(IPAddress, Int32)>, broadcasts: some Sequence<IPAddress> = []
  ) {
    self.interfaces = Dictionary(interfaces) { $0 == $1 ? $0 : 0 }
    self.broadcasts = Set(broadcasts)
  }

  /// The addresses of its interfaces.
  public var addresses: Dictionary<IPAddress, Int32>.Keys { interfaces.keys }

  /// True when packets from `address` start on this host: one of its own, or any of loopback.
  public func contains(_ address: IPAddress) -> Bool {
    address.isLoopback || interfaces[address] != nil
  }

  /// The number of the interface that has `address`; nil where none has, more than one, or it is not known.
  public func interface(of address: IPAddress) -> Int32? {
    if address.isLoopback { return Self.loopback }
    return interfaces[address].flatMap { $0 == 0 ? nil : $0 }
  }

  /// True when packets to `address` reach this host: as `contains`, or multicast or broadcast.
  public func receives(_ address: IPAddress) -> Bool {
    contains(address) || address.isMulticast || address.isLimitedBroadcast || broadcasts.contains(address)
  }
}

/// Asks rtnetlink for the addresses of this host (rtnetlink(7), RTM_GETADDR).
public final class LocalAddressReader {
  private var socket: NetlinkSocket
  /// Whether it asks the network namespace of this process.
  private let isOwn: Bool
  private var isBroken = false

  private static let getAddress: UInt16 = 22  // RTM_GETADDR
  private static let newAddress: UInt16 = 20  // RTM_NEWADDR
  private static let address: UInt16 = 1  // IFA_ADDRESS
  private static let local: UInt16 = 2  // IFA_LOCAL
  private static let broadcast: UInt16 = 4  // IFA_BROADCAST

  /// Opens the socket; needs no privilege.
  public init() throws(KernelError) {
    socket = try NetlinkSocket(.route)
    isOwn = true
  }

  /// Asks the network namespace that `socket`, one of rtnetlink, is in.
  package init(socket: consuming NetlinkSocket) {
    self.socket = socket
    isOwn = false
  }

  /// Returns the addresses as they are now. They change while we run, so ask again each tick. After a reading that
  /// failed another socket is asked.
  public func read() throws(KernelError) -> LocalAddresses {
    // struct ifaddrmsg is eight bytes; all zero asks for every family and interface.
    let request = NetlinkRequest(
      type: Self.getAddress, flags: NetlinkHeader.Flag.dump, fixed: Array(repeating: 0, count: 8))
    var addresses: [(IPAddress, Int32)] = []
    var broadcasts: [IPAddress] = []
    var interrupted: UInt64 = 0
    if isBroken, isOwn { socket = try NetlinkSocket(.route) }
    isBroken = true
    try ConsistentDump.read(interrupted: &interrupted) { () throws(KernelError) in
      (addresses, broadcasts) = ([], [])
      return try dump(request, into: &addresses, &broadcasts)
    }
    isBroken = false
    return LocalAddresses(interfaces: addresses, broadcasts: broadcasts)
  }

  /// Appends the addresses; returns whether the dump was interrupted.
  private func dump(
    _ request: NetlinkRequest, into addresses: inout [(IPAddress, Int32)],
    _ broadcasts: inout [IPAddress]
  ) throws(KernelError) -> Bool {
    try socket.dump(request, "reading this host's addresses") { type, payload in
      guard type == Self.newAddress, let family = payload.load(0, as: UInt8.self), payload.byteCount >= 8
      else {
        return
      }
      // On a point-to-point link IFA_ADDRESS is the peer and IFA_LOCAL this host.
      var own: IPAddress?
      var peerOrOwn: IPAddress?
      _ = forEachAttribute(in: payload.extracting(8..<payload.byteCount)) { type, value in
        switch type {
        case Self.local: own = Self.ipAddress(value, family)
        case Self.address: peerOrOwn = Self.ipAddress(value, family)
        case Self.broadcast: Self.ipAddress(value, family).map { broadcasts.append($0) }
        default: break
        }
      }
      // struct ifaddrmsg: ifa_index.
      let interface = payload.load(4, as: UInt32.self).map(Int32.init(truncatingIfNeeded:))
      if let found = own ?? peerOrOwn { addresses.append((found, interface ?? 0)) }
    }.isInterrupted
  }

  private static func ipAddress(_ value: borrowing RawSpan, _ family: UInt8) -> IPAddress? {
    if CInt(family) == AF_INET { return value.loadBigEndian(0, as: UInt32.self).map(IPAddress.init(v4:)) }
    guard let high = value.loadBigEndian(0, as: UInt64.self),
      let low = value.loadBigEndian(8, as: UInt64.self)
    else { return nil }
    return IPAddress(high: high, low: low)
  }
}

/// Where the addresses of this host come from.
public enum LocalAddressSource {
  /// The kernel, asked each time: addresses come and go while we run.
  case kernel(LocalAddressReader)
  /// The same each time.
  case fixed(LocalAddresses)

  /// Returns the addresses as they are now.
  public func read() throws(KernelError) -> LocalAddresses {
    switch self {
    case .kernel(let reader): try reader.read()
    case .fixed(let addresses): addresses
    }
  }
}
