import Model
import SystemRuntime

/// Which request of which target a message belongs to.
struct EchoToken: Sendable, Hashable {
  /// The target's number.
  var target: UInt32
  /// The round's number; it wraps.
  var round: UInt16
  /// For a ping its place in the burst, for a trace which attempt for which hop limit.
  var number: UInt16

  /// Makes a token.
  init(target: UInt32, round: UInt16, number: UInt16) {
    self.target = target
    self.round = round
    self.number = number
  }

  init(rawValue: UInt64) {
    self.init(
      target: UInt32(truncatingIfNeeded: rawValue >> 32), round: UInt16(truncatingIfNeeded: rawValue >> 16),
      number: UInt16(truncatingIfNeeded: rawValue))
  }

  /// What the target knows it by.
  var part: EchoTokenPart { EchoTokenPart(round: round, number: number) }

  var rawValue: UInt64 { UInt64(target) << 32 | UInt64(round) << 16 | UInt64(number) }
}

/// An echo request or reply (RFC 792, RFC 4443 section 4): type, code, checksum, identifier, sequence number, payload.
///
/// A payload with room begins with a secret of this process and the token: replies to others, forged ones and those of rounds
/// before are told apart. Two bytes after them keep the checksum of all messages of a flow to a target the same: routers that
/// balance over several paths choose by it, so all of a flow take one path (the way of paris-traceroute).
struct EchoPacket: Sendable {
  static let headerSize = 8
  /// The payload that has room for secret, token and balance.
  static let cookieSize = 18

  private let secret: UInt64
  private let flow: Int

  /// Makes packets of a flow with the secret of this process.
  init(secret: UInt64, flow: Int = 0) { (self.secret, self.flow) = (secret, flow) }

  /// The same for another flow.
  func ofFlow(_ flow: Int) -> EchoPacket { EchoPacket(secret: secret, flow: flow) }

  /// Appends a request. A datagram socket's identifier and checksum and all of IPv6's checksums are the kernel's to write.
  func write(
    _ family: EchoSocket.Family, identifier: UInt16, sequence: UInt16, token: EchoToken, payload: Int,
    to bytes: inout [UInt8]
  ) {
    let start = bytes.count
    bytes.append(contentsOf: repeatElement(0, count: Self.headerSize + max(0, payload)))
    var message = bytes.mutableSpan
    message.put(UInt32(family == .v4 ? 8 : 128) << 24, at: start)
    message.put(UInt32(identifier) << 16 | UInt32(sequence), at: start + 4)
    if payload >= Self.cookieSize {
      message.put(secret, at: start + 8)
      message.put(token.rawValue, at: start + 16)
      message.put(balance(identifier, sequence, token), at: start + 24)
      for index in start + Self.headerSize + Self.cookieSize..<message.count {
        message[index] = UInt8(truncatingIfNeeded: index - start)
      }
    }
    message.put(~Self.sum(message.span.extracting(start...)), at: start + 2)
  }

  /// What makes the sum of identifier, sequence, token and itself the number of target and flow.
  private func balance(_ identifier: UInt16, _ sequence: UInt16, _ token: EchoToken) -> UInt16 {
    var rest = UInt32(
      (UInt16(truncatingIfNeeded: token.target) | 1) &+ UInt16(truncatingIfNeeded: flow << 10))
    for word in [
      identifier, sequence, UInt16(token.target >> 16), UInt16(token.target & 0xffff), token.round,
      token.number,
    ] {
      rest += UInt32(~word)
    }
    return Self.fold(rest)
  }

  /// The one's complement sum of `bytes` as 16-bit words (RFC 1071).
  static func sum(_ bytes: Span<UInt8>) -> UInt16 {
    var total: UInt32 = 0
    var index = 0
    while index + 1 < bytes.count {
      total += UInt32(bytes[index]) << 8 | UInt32(bytes[index + 1])
      index += 2
    }
    if index < bytes.count { total += UInt32(bytes[index]) << 8 }
    return fold(total)
  }

  private static func fold(_ total: UInt32) -> UInt16 {
    var total = total
    while total > 0xffff { total = total >> 16 + total & 0xffff }
    return UInt16(total)
  }

  /// What a message says of the request that it belongs to.
  struct Reference: Sendable, Hashable {
    /// The identifier and the sequence number.
    var identifier: UInt16
    var sequence: UInt16
    /// The token, where the payload has the secret and all of it is there.
    var token: EchoToken?
    /// True when there is room for a secret, and it is another.
    var isForeign: Bool
  }

  /// Reads an echo reply: with `hasHeader` the IP header comes first, and the kernel has not looked at the checksum. Nil for
  /// what is none.
  func reply(_ bytes: RawSpan, _ family: EchoSocket.Family, hasHeader: Bool) -> Reference? {
    var start = 0
    if hasHeader {
      guard let first = bytes.load(0, as: UInt8.self), first >> 4 == 4 else { return nil }
      start = Int(first & 0xf) * 4
      guard start >= 20, Self.isIntact(bytes, from: start) else { return nil }
    }
    guard bytes.load(start, as: UInt8.self) == (family == .v4 ? 0 : 129),
      bytes.load(start + 1, as: UInt8.self) == 0
    else { return nil }
    let reference = reference(bytes, at: start)
    guard let token = reference?.token,
      let balance = bytes.loadBigEndian(start + Self.headerSize + Self.cookieSize - 2, as: UInt16.self),
      balance != reference.map({ self.balance($0.identifier, $0.sequence, token) })
    else { return reference }
    // The token of one request with the sequence number of another.
    return reference.map {
      Reference(identifier: $0.identifier, sequence: $0.sequence, token: nil, isForeign: true)
    }
  }

  /// Whether the checksum of the message behind an IPv4 header is right; of one that was cut that cannot be known.
  private static func isIntact(_ bytes: RawSpan, from start: Int) -> Bool {
    guard let end = bytes.loadBigEndian(2, as: UInt16.self).map(Int.init) else { return false }
    if end > bytes.byteCount { return true }
    var total: UInt32 = 0
    for offset in stride(from: start, to: end, by: 2) {
      let word = offset + 1 < end ? bytes.loadBigEndian(offset, as: UInt16.self) : nil
      total += word.map(UInt32.init) ?? UInt32(bytes.load(offset, as: UInt8.self) ?? 0) << 8
    }
    return fold(total) == 0xffff
  }

  /// Reads the request that an error quotes; nil for another message.
  func quoted(_ bytes: RawSpan, _ family: EchoSocket.Family) -> Reference? {
    guard bytes.load(0, as: UInt8.self) == (family == .v4 ? 8 : 128) else { return nil }
    return reference(bytes, at: 0)
  }

  /// Finds the token of a sent message behind the headers of lower layers; nil where its payload has none.
  func sent(_ bytes: RawSpan) -> EchoToken? {
    var offset = Self.headerSize
    while let word = bytes.loadBigEndian(offset, as: UInt64.self) {
      if word == secret { return bytes.loadBigEndian(offset + 8, as: UInt64.self).map(EchoToken.init) }
      offset += 1
    }
    return nil
  }

  private func reference(_ bytes: RawSpan, at start: Int) -> Reference? {
    guard let identifier = bytes.loadBigEndian(start + 4, as: UInt16.self),
      let sequence = bytes.loadBigEndian(start + 6, as: UInt16.self)
    else { return nil }
    let payload = start + Self.headerSize
    let found = bytes.loadBigEndian(payload, as: UInt64.self)
    let token = found == secret ? bytes.loadBigEndian(payload + 8, as: UInt64.self) : nil
    return Reference(
      identifier: identifier, sequence: sequence, token: token.map(EchoToken.init),
      isForeign: bytes.byteCount >= payload + Self.cookieSize && found != secret)
  }
}

extension MutableSpan<UInt8> {
  /// Puts a number in network order at `offset`.
  fileprivate mutating func put(_ value: some FixedWidthInteger & UnsignedInteger, at offset: Int) {
    for index in 0..<value.bitWidth / 8 {
      self[offset + index] = UInt8(truncatingIfNeeded: value >> (value.bitWidth - 8 - 8 * index))
    }
  }
}
