import Model

/// Turns a line of `/proc/net/nf_conntrack`, or of the older `ip_conntrack`, into a flow.
///
/// A line is `[family number] protocol number [timeout] [state] key=value.. [FLAG] key=value..`; the second
/// `src=` starts the reply direction. The table in /proc has no identifiers.
enum FlowLine {
  /// Returns the flow in `line`; nil when it lacks a protocol number or an address.
  static func parse(_ line: ArraySlice<UInt8>) -> Flow? {
    var words = line.split(separator: UInt8(ascii: " ")).makeIterator()
    guard let first = words.next(), let number = words.next() else { return nil }
    // `ipv4 2 tcp 6 ..` against the older `tcp 6 ..`.
    let hasFamily = first.elementsEqual("ipv4".utf8) || first.elementsEqual("ipv6".utf8)
    if hasFamily && words.next() == nil { return nil }
    guard let rawTransport = hasFamily ? words.next() : number,
      let transport = decimal(rawTransport, UInt8.self)
    else { return nil }

    var directions: [Direction] = []
    var zone: UInt16 = 0
    var isOffloaded = false
    while let word = words.next() {
      guard let equals = word.firstIndex(of: UInt8(ascii: "=")) else {
        isOffloaded =
          isOffloaded || word.elementsEqual("[OFFLOAD]".utf8) || word.elementsEqual("[HW_OFFLOAD]".utf8)
        continue
      }
      let key = String(decoding: word[..<equals], as: UTF8.self)
      let value = word[(equals + 1)...]
      if key == "src" { directions.append(Direction()) }
      if key.hasPrefix("zone"), let number = decimal(value, UInt16.self) { zone = max(zone, number) }
      guard let last = directions.indices.last else { continue }
      guard directions[last].take(key, value) else { return nil }
    }
    let tuples = directions.map { $0.tuple(TransportProtocol(rawValue: transport)) }
    guard tuples.count == 2, let original = tuples[0], let reply = tuples[1] else { return nil }
    return Flow(
      id: 0, zone: zone, isOffloaded: isOffloaded, isCounted: directions[0].bytes != nil, original: original,
      reply: reply,
      counters: FlowCounters(
        originalBytes: directions[0].bytes ?? 0, replyBytes: directions[1].bytes ?? 0,
        originalPackets: directions[0].packets ?? 0, replyPackets: directions[1].packets ?? 0))
  }

  private static func decimal<Value: FixedWidthInteger>(_ text: ArraySlice<UInt8>, _: Value.Type) -> Value? {
    Value(String(decoding: text, as: UTF8.self))
  }

  /// What stands between one `src=` and the next.
  private struct Direction {
    var source: IPAddress?
    var destination: IPAddress?
    var sourcePort: UInt16 = 0
    var destinationPort: UInt16 = 0
    var packets: UInt64?
    var bytes: UInt64?

    /// Takes a value of this direction; false when it should be a number or an address and is not.
    mutating func take(_ key: String, _ value: ArraySlice<UInt8>) -> Bool {
      switch key {
      case "src": source = address(value)
      case "dst": destination = address(value)
      case "sport", "id": return assign(value, to: &sourcePort)
      case "dport": return assign(value, to: &destinationPort)
      case "srckey": return assignKey(value, to: &sourcePort)
      case "dstkey": return assignKey(value, to: &destinationPort)
      case "type": return assignByte(value, shiftedBy: 8)
      case "code": return assignByte(value, shiftedBy: 0)
      case "packets":
        packets = decimal(value, UInt64.self)
        return packets != nil
      case "bytes":
        bytes = decimal(value, UInt64.self)
        return bytes != nil
      default: return true
      }
      return source != nil && (key == "src" || destination != nil)
    }

    func tuple(_ transport: TransportProtocol) -> FlowTuple? {
      guard let source, let destination else { return nil }
      return FlowTuple(
        source: Endpoint(address: source, port: sourcePort),
        destination: Endpoint(address: destination, port: destinationPort), transport: transport)
    }

    private func address(_ value: ArraySlice<UInt8>) -> IPAddress? {
      IPAddress(String(decoding: value, as: UTF8.self))
    }

    private func assign(_ value: ArraySlice<UInt8>, to port: inout UInt16) -> Bool {
      guard let number = decimal(value, UInt16.self) else { return false }
      port = number
      return true
    }

    /// GRE's keys are hexadecimal: `srckey=0x1f`.
    private func assignKey(_ value: ArraySlice<UInt8>, to port: inout UInt16) -> Bool {
      guard let number = UInt16(String(decoding: value.dropFirst(2), as: UTF8.self), radix: 16) else {
        return false
      }
      port = number
      return true
    }

    private mutating func assignByte(_ value: ArraySlice<UInt8>, shiftedBy bits: UInt16) -> Bool {
      guard let byte = decimal(value, UInt8.self) else { return false }
      destinationPort |= UInt16(byte) << bits
      return true
    }
  }
}
