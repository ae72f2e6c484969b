import SystemRuntime

/// Writes directions as the original does: JSON with an indent of four, in ASCII.
struct FlowJSON: ~Copyable {
  /// A key with what stands before its value: the comma of the value before it, too.
  private enum Key: Int, CaseIterable {
    case duration, bits, packets, bitsPerSecond, packetsPerSecond
    case source, sourcePort, destination, destinationPort, protocolName
    case start, end

    var name: String {
      switch self {
      case .duration: "duration"
      case .bits: "num_bits"
      case .packets: "num_packets"
      case .bitsPerSecond: "bits_per_second"
      case .packetsPerSecond: "packets_per_second"
      case .source: "src_ip"
      case .sourcePort: "src_port"
      case .destination: "dst_ip"
      case .destinationPort: "dst_port"
      case .protocolName: "protocol"
      case .start: "start"
      case .end: "end"
      }
    }

    var indent: Int { self == .start || self == .end ? 8 : 12 }
  }

  private static let keyCount = Key.allCases.count

  /// All keys, one after the other: those of `Key`, then those of TCP.
  private let keys: ByteBuffer
  private let ranges: [Range<Int>]
  private let opening = ByteBuffer(
    "    {\n        \"type\": \"flow\",\n        \"interval\": 600,\n        \"values\": {")
  private let middle = ByteBuffer("\n        },\n        \"meta\": {")
  private let closing = ByteBuffer("\n    }")
  private let identity: ByteBuffer

  /// Writes for these options.
  init(_ options: RowOptions) {
    var keys = ByteBuffer()
    var ranges: [Range<Int>] = []
    let named =
      Key.allCases.map { ($0.name, $0.indent) }
      + TCPKey.allCases.filter { $0.isWritten(options) }.map { ($0.rawValue, 12) }
    for (name, indent) in named {
      let start = keys.count
      keys.append(",\n" + String(repeating: " ", count: indent) + "\"\(name)\": ")
      ranges.append(start..<keys.count)
    }
    self.keys = keys
    self.ranges = ranges
    let instance = options.instance.map { "\"\(Self.escaped($0))\"" } ?? "0"
    identity = ByteBuffer(
      ",\n            \"sensor_id\": \"\(Self.escaped(options.sensor))\",\n            \"instance_id\": \(instance),\n"
        + "            \"flow_type\": \"tstat\"\n        }")
  }

  /// Appends an object, without what parts it from others.
  func append(_ record: FlowRecord, to text: inout ByteBuffer) {
    text.append(opening)
    if let duration = record.duration {
      append(.duration, duration, isFirst: true, to: &text)
      append(.bits, .whole(record.bits), to: &text)
    } else {
      append(.bits, .whole(record.bits), isFirst: true, to: &text)
    }
    append(.packets, .whole(record.packets), to: &text)
    if let rate = record.bitsPerSecond { append(.bitsPerSecond, rate, to: &text) }
    if let rate = record.packetsPerSecond { append(.packetsPerSecond, rate, to: &text) }
    for (index, value) in record.tcp.enumerated() {
      guard let value else { continue }
      text.append(keys, in: ranges[Self.keyCount + index])
      text.append(value)
    }
    text.append(middle)
    append(.source, record.source, isFirst: true, to: &text)
    append(.sourcePort, .whole(record.sourcePort), to: &text)
    append(.destination, record.destination, to: &text)
    append(.destinationPort, .whole(record.destinationPort), to: &text)
    append(.protocolName, record.kind.rawValue, to: &text)
    text.append(identity)
    if let start = record.start { append(.start, start, to: &text) }
    if let end = record.end { append(.end, end, to: &text) }
    text.append(closing)
  }

  private func append(_ key: Key, isFirst: Bool, to text: inout ByteBuffer) {
    let range = ranges[key.rawValue]
    // Without the comma.
    text.append(keys, in: isFirst ? range.lowerBound + 1..<range.upperBound : range)
  }

  private func append(_ key: Key, _ value: LogNumber, isFirst: Bool = false, to text: inout ByteBuffer) {
    append(key, isFirst: isFirst, to: &text)
    text.append(value)
  }

  /// A text of plain characters, which needs no escapes.
  private func append(_ key: Key, _ value: String, isFirst: Bool = false, to text: inout ByteBuffer) {
    append(key, isFirst: isFirst, to: &text)
    text.append(UInt8(ascii: "\""))
    text.append(value)
    text.append(UInt8(ascii: "\""))
  }

  /// A text as Python's `json` writes it: what is not ASCII as UTF-16 in escapes.
  private static func escaped(_ text: String) -> String {
    var result = ""
    for unit in text.utf16 {
      switch unit {
      case 0x22: result += "\\\""
      case 0x5c: result += "\\\\"
      case 0x08: result += "\\b"
      case 0x0c: result += "\\f"
      case 0x0a: result += "\\n"
      case 0x0d: result += "\\r"
      case 0x09: result += "\\t"
      case 0x20...0x7e: result.unicodeScalars.append(Unicode.Scalar(UInt8(unit)))
      default:
        let digits = String(unit, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      }
    }
    return result
  }
}
