/// Writes directions as the original does: JSON with an indent of four, in ASCII.
struct FlowJSON {
  private let tcpKeys: [StaticKey]
  private let opening: [UInt8]
  private let identity: [UInt8]

  /// A key with what stands before its value: the comma of the value before it, too.
  private struct StaticKey {
    var text: [UInt8]

    init(_ name: String, indent: Int) {
      text = Array((",\n" + String(repeating: " ", count: indent) + "\"\(name)\": ").utf8)
    }
  }

  private static let duration = StaticKey("duration", indent: 12)
  private static let bits = StaticKey("num_bits", indent: 12)
  private static let packets = StaticKey("num_packets", indent: 12)
  private static let bitsPerSecond = StaticKey("bits_per_second", indent: 12)
  private static let packetsPerSecond = StaticKey("packets_per_second", indent: 12)
  private static let source = StaticKey("src_ip", indent: 12)
  private static let sourcePort = StaticKey("src_port", indent: 12)
  private static let destination = StaticKey("dst_ip", indent: 12)
  private static let destinationPort = StaticKey("dst_port", indent: 12)
  private static let protocolName = StaticKey("protocol", indent: 12)
  private static let start = StaticKey("start", indent: 8)
  private static let end = StaticKey("end", indent: 8)
  private static let middle = Array("\n        },\n        \"meta\": {".utf8)

  /// Writes for these options.
  init(_ options: RowOptions) {
    tcpKeys = TCPKey.allCases.filter { $0.isWritten(options) }.map { StaticKey($0.rawValue, indent: 12) }
    opening = Array(
      "    {\n        \"type\": \"flow\",\n        \"interval\": 600,\n        \"values\": {".utf8)
    let instance = options.instance.map { "\"\(Self.escaped($0))\"" } ?? "0"
    identity = Array(
      (",\n            \"sensor_id\": \"\(Self.escaped(options.sensor))\",\n            \"instance_id\": \(instance),\n"
        + "            \"flow_type\": \"tstat\"\n        }").utf8)
  }

  /// Appends an object, without what parts it from others.
  func append(_ record: FlowRecord, to bytes: inout [UInt8]) {
    bytes += opening
    if let duration = record.duration {
      append(Self.duration, duration, isFirst: true, to: &bytes)
      append(Self.bits, .whole(record.bits), to: &bytes)
    } else {
      append(Self.bits, .whole(record.bits), isFirst: true, to: &bytes)
    }
    append(Self.packets, .whole(record.packets), to: &bytes)
    if let rate = record.bitsPerSecond { append(Self.bitsPerSecond, rate, to: &bytes) }
    if let rate = record.packetsPerSecond { append(Self.packetsPerSecond, rate, to: &bytes) }
    for (index, value) in record.tcp.enumerated() {
      if let value { append(tcpKeys[index], value, to: &bytes) }
    }
    bytes += Self.middle
    append(Self.source, record.source, isFirst: true, to: &bytes)
    append(Self.sourcePort, .whole(record.sourcePort), to: &bytes)
    append(Self.destination, record.destination, to: &bytes)
    append(Self.destinationPort, .whole(record.destinationPort), to: &bytes)
    append(Self.protocolName, record.kind.rawValue, to: &bytes)
    bytes += identity
    if let start = record.start { append(Self.start, start, to: &bytes) }
    if let end = record.end { append(Self.end, end, to: &bytes) }
    bytes.append(contentsOf: "\n    }".utf8)
  }

  private func append(_ key: StaticKey, _ value: LogNumber, isFirst: Bool = false, to bytes: inout [UInt8]) {
    if isFirst { bytes += key.text.dropFirst() } else { bytes += key.text }
    bytes.append(value)
  }

  /// A text of plain characters, which needs no escapes.
  private func append(_ key: StaticKey, _ value: String, isFirst: Bool = false, to bytes: inout [UInt8]) {
    if isFirst { bytes += key.text.dropFirst() } else { bytes += key.text }
    bytes.append(UInt8(ascii: "\""))
    bytes.append(contentsOf: value.utf8)
    bytes.append(UInt8(ascii: "\""))
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
