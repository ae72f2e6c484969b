/// A netlink message being written: header, the family's fixed part, attributes.
package struct NetlinkRequest {
  private(set) var bytes: [UInt8]
  private static let usualLength = 128

  /// Starts a message; `fixed` is what stands before the attributes. The socket fills in the sequence number.
  package init(type: UInt16, flags: UInt16, fixed: [UInt8]) {
    bytes = []
    bytes.reserveCapacity(Self.usualLength)
    append(UInt32(0))
    append(type)
    append(flags | NetlinkHeader.Flag.request)
    append(UInt64(0))
    bytes += fixed
    pad()
    updateLength()
  }

  /// The fixed part of all netfilter messages (linux/netfilter/nfnetlink.h, struct nfgenmsg).
  package static func nfgenmsg(family: UInt8, resource: UInt16 = 0) -> [UInt8] {
    [family, 0, UInt8(resource >> 8), UInt8(resource & 0xff)]
  }

  /// Adds an attribute with the given payload.
  package mutating func add(_ type: UInt16, _ payload: [UInt8]) {
    append(UInt16(4 + payload.count))
    append(type)
    bytes += payload
    pad()
    updateLength()
  }

  /// Adds an attribute that holds a number in network order.
  package mutating func add(_ type: UInt16, bigEndian value: some FixedWidthInteger) {
    append(UInt16(4 + value.bitWidth / 8))
    append(type)
    append(value.byteSwapped)
    pad()
    updateLength()
  }

  /// Adds an attribute that holds a text ended by NUL.
  package mutating func add(_ type: UInt16, text: String) { add(type, Array(text.utf8) + [0]) }

  /// Adds an attribute that holds the attributes that `build` adds.
  package mutating func addNested(_ type: UInt16, _ build: (inout NetlinkRequest) -> Void) {
    let start = bytes.count
    append(UInt16(0))
    append(type | 0x8000)
    build(&self)
    let length = UInt16(bytes.count - start)
    bytes[start] = UInt8(length & 0xff)
    bytes[start + 1] = UInt8(length >> 8)
    updateLength()
  }

  /// True when the kernel will answer it with success or an error.
  var wantsAcknowledgement: Bool { bytes[6] & UInt8(NetlinkHeader.Flag.acknowledge) != 0 }

  /// Writes the sequence number that the answer will carry.
  mutating func setSequence(_ sequence: UInt32) { write(sequence, at: 8) }

  /// Appends the message with the sequence number that its answer will carry to those that leave together.
  package func append(to messages: inout [UInt8], sequence: UInt32) {
    let start = messages.count + 8
    messages += bytes
    for index in 0..<4 {
      messages[start + index] = UInt8(truncatingIfNeeded: sequence >> (8 * UInt32(index)))
    }
  }

  package static func bytes(ofBigEndian value: some FixedWidthInteger) -> [UInt8] {
    stride(from: value.bitWidth - 8, through: 0, by: -8).map { UInt8(truncatingIfNeeded: value >> $0) }
  }

  private mutating func append(_ value: some FixedWidthInteger) {
    for shift in stride(from: 0, to: value.bitWidth, by: 8) {
      bytes.append(UInt8(truncatingIfNeeded: value >> shift))
    }
  }

  private mutating func pad() { for _ in 0..<(-bytes.count & 3) { bytes.append(0) } }

  private mutating func updateLength() { write(UInt32(bytes.count), at: 0) }

  private mutating func write(_ value: UInt32, at offset: Int) {
    for index in 0..<4 { bytes[offset + index] = UInt8(truncatingIfNeeded: value >> (8 * UInt32(index))) }
  }
}
