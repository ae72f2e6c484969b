import SystemRuntime

@testable import Tstat

extension Target {
  /// A log: the first byte says of which protocol.
  static func tstat(_ input: [UInt8]) throws(Violation) {
    guard let first = input.first else { return }
    var options = RowOptions(threshold: Int64(first >> 4 & 1), sensor: "s\"\u{e9}\n")
    options.hasMillisecondsOfUDP = first & 2 != 0
    options.hasEmptyDirections = first & 4 != 0
    options.isExtended = first & 8 != 0
    var reader = RowReader(first & 1 == 0 ? .tcp : .udp, options)
    let json = FlowJSON(options)
    var start = 1
    while start <= input.count {
      let end = input[start...].firstIndex(of: 0x0a) ?? input.count
      if case .records(let records) = reader.read(input, start..<end) {
        try law("a row has two directions at most", records.count <= 2)
        for record in records {
          try law("counts are not negative", record.bits >= options.leastBits && record.packets >= 0)
          var text = ByteBuffer()
          json.append(record, to: &text)
          try check(text.take())
        }
      }
      start = end + 1
    }
  }

  /// JSON in ASCII, with numbers that JSON knows; its strings end, and so do its objects.
  private static func check(_ text: [UInt8]) throws(Violation) {
    try law(
      "JSON is ASCII without control characters", text.allSatisfy { $0 == 0x0a || (0x20..<0x7f).contains($0) }
    )
    var depth = 0
    var isString = false
    var isEscaped = false
    var outside = ""
    for byte in text {
      if isString {
        if isEscaped {
          isEscaped = false
        } else if byte == UInt8(ascii: "\\") {
          isEscaped = true
        } else {
          isString = byte != UInt8(ascii: "\"")
        }
        continue
      }
      switch byte {
      case UInt8(ascii: "\""): isString = true
      case UInt8(ascii: "{"): depth += 1
      case UInt8(ascii: "}"): depth -= 1
      default: outside.unicodeScalars.append(Unicode.Scalar(byte))
      }
    }
    try law("JSON is whole", depth == 0 && !isString)
    try law("JSON knows neither NaN nor infinity", !outside.contains { $0 == "n" || $0 == "i" })
  }
}
