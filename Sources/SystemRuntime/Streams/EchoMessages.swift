import CLinux
public import Model
public import SystemPackage

/// ICMP messages that are to be sent, and to whom.
public struct EchoMessages: Sendable {
  private(set) var bytes: [UInt8] = []
  private(set) var lengths: [UInt32] = []
  private(set) var offsets: [Int] = []
  private(set) var addresses: [clinux_address] = []

  /// No message is longer, in bytes.
  public private(set) var longest = 0

  /// Makes an empty list.
  public init() {}

  /// How many there are.
  public var count: Int { lengths.count }

  /// Adds a message: `write` appends its bytes.
  public mutating func add(to address: IPAddress, zone: UInt32 = 0, _ write: (inout [UInt8]) -> Void) {
    let start = bytes.count
    write(&bytes)
    offsets.append(start)
    lengths.append(UInt32(bytes.count - start))
    longest = max(longest, bytes.count - start)
    addresses.append(clinux_address(address, zone: zone))
  }

  /// Forgets the first `count`.
  public mutating func removeFirst(_ count: Int) {
    guard count > 0, count < self.count else { return count > 0 ? removeAll() : () }
    let end = offsets[count]
    bytes.removeFirst(end)
    lengths.removeFirst(count)
    addresses.removeFirst(count)
    offsets = offsets.dropFirst(count).map { $0 - end }
  }

  /// Forgets all of them, and keeps the room.
  public mutating func removeAll() {
    bytes.removeAll(keepingCapacity: true)
    lengths.removeAll(keepingCapacity: true)
    offsets.removeAll(keepingCapacity: true)
    addresses.removeAll(keepingCapacity: true)
    longest = 0
  }
}

/// Room for a batch of received messages; used again for each.
@safe public struct EchoBuffer {
  /// The most of a message that is kept: an error quotes less, and a reply's payload is compared no further.
  static let size = 2048
  /// How many messages it has room for: when fewer come there are no more.
  public static let capacity = Int(CLINUX_ICMP_BATCH)

  fileprivate var bytes = [UInt8](repeating: 0, count: size * Int(CLINUX_ICMP_BATCH))
  fileprivate var messages = [clinux_icmp_message](
    repeating: clinux_icmp_message(), count: Int(CLINUX_ICMP_BATCH))

  /// Makes the room.
  public init() {}

  /// Takes a batch of what has come at a socket, with `errors` from its error queue; returns how many.
  mutating func receive(from socket: CInt, errors: Bool, _ body: (RawSpan, EchoEnvelope) -> Void) -> Int {
    let count = unsafe fill { bytes, messages in
      // In bounds: there is room for a batch of this size, and for as many descriptions.
      unsafe clinux_icmp_receive(socket, errors ? 1 : 0, bytes, Self.size, messages)
    }
    for index in 0..<max(0, count) {
      let message = messages[index]
      let length = min(Int(message.length), Self.size)
      let start = Int(message.offset)
      // In bounds: no longer than the room, which the kernel has filled.
      unsafe body(bytes.span.bytes.extracting(start..<start + length), EchoEnvelope(message))
    }
    return count
  }

  private mutating func fill(
    _ body: (UnsafeMutablePointer<UInt8>?, UnsafeMutablePointer<clinux_icmp_message>?) -> CInt
  ) -> Int {
    unsafe bytes.withUnsafeMutableBufferPointer { bytes in
      Int(
        unsafe messages.withUnsafeMutableBufferPointer {
          unsafe body(bytes.baseAddress, $0.baseAddress)
        })
    }
  }
}

/// What the kernel says of a received message.
public struct EchoEnvelope: Sendable, Hashable {
  /// Why a message is in the error queue.
  public enum Origin: Sendable, Hashable {
    /// It was sent, and this is its stamp (SO_EE_ORIGIN_TIMESTAMPING).
    case sent
    /// An ICMP message about a request (SO_EE_ORIGIN_ICMP, SO_EE_ORIGIN_ICMP6): its type, code and, where it has one, the MTU.
    case path(type: UInt8, code: UInt8, info: UInt32)
    /// This host's kernel refuses (SO_EE_ORIGIN_LOCAL).
    case local(Errno, info: UInt32)
  }

  /// Who sent it; for an error whom the request was for.
  public var peer: IPAddress
  /// When the kernel took it, in nanoseconds since 1970 by the wall clock; nil without a stamp.
  public var stamp: Int64?
  /// What it is in the error queue; nil for a message that was received.
  public var origin: Origin?
  /// Who reports the error; nil where that is not known.
  public var offender: IPAddress?

  fileprivate init(_ message: clinux_icmp_message) {
    peer = IPAddress(message.peer)
    stamp = message.stamp == 0 ? nil : message.stamp
    offender = message.has_offender == 1 ? IPAddress(message.offender) : nil
    switch Int(message.origin) {
    case 0: origin = nil
    case Self.timestamping: origin = .sent
    case Self.icmp, Self.icmp6:
      origin = .path(type: message.type, code: message.code, info: message.info)
    default: origin = .local(Errno(rawValue: message.error), info: message.info)
    }
  }

  // linux/errqueue.h, which is not for Swift's importer.
  private static let icmp = 2
  private static let icmp6 = 3
  private static let timestamping = 4
}

extension clinux_address {
  fileprivate init(_ address: IPAddress, zone: UInt32) {
    self.init()
    self.zone = zone
    // In bounds: the field has 16 bytes.
    unsafe withUnsafeMutableBytes(of: &bytes) { place in
      unsafe place.storeBytes(of: address.high.bigEndian, as: UInt64.self)
      unsafe place.storeBytes(of: address.low.bigEndian, toByteOffset: 8, as: UInt64.self)
    }
  }
}

extension IPAddress {
  fileprivate init(_ address: clinux_address) {
    self = unsafe withUnsafeBytes(of: address.bytes) { place in
      // In bounds: the field has 16 bytes.
      IPAddress(
        high: UInt64(bigEndian: unsafe place.loadUnaligned(as: UInt64.self)),
        low: UInt64(bigEndian: unsafe place.loadUnaligned(fromByteOffset: 8, as: UInt64.self)))
    }
  }
}
