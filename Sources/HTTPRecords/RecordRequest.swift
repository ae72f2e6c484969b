import Curl
import Model

extension HTTPRecordsConfiguration {
  /// The request that brings a record.
  func request(for record: Record) -> HTTPRequest {
    var request = HTTPRequest(
      .post(record.body), url, limits: TransferLimits(connect: timeout, whole: timeout))
    request.headers = [
      "Content-Type: application/json", "User-Agent: bwmon",
      "Idempotency-Key: \(record.id.escapingControlCharacters)",
    ]
    if let routingKey = record.routingKey {
      request.headers.append("X-Routing-Key: \(routingKey.escapingControlCharacters)")
    }
    request.headers += record.headers.map(\.field)
    if let authorization { request.headers.append(authorization) }
    request.verification = verifies ? .required : .none
    request.authorities = authorities
    request.usesProxy = true
    request.keepsConnection = true
    // Less would end the connection instead of leaving it to the next record.
    request.mostBody = 64 << 10
    return request
  }
}

extension Record.Header {
  /// As a header field: `X-Rows: 100` for `x-rows` and for `rows`.
  var field: String {
    let name = String(
      decoding: name.utf8.map { byte in
        let isWord =
          switch byte {
          case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
          default: false
          }
        return isWord ? byte : UInt8(ascii: "-")
      }, as: UTF8.self)
    let words = name.split(separator: "-").map { $0.prefix(1).uppercased() + $0.dropFirst() }
    let parts = words.first == "X" ? words : ["X"] + words
    let text =
      switch value {
      case .text(let text): text.escapingControlCharacters
      case .number(let number): String(number)
      }
    return "\(parts.joined(separator: "-")): \(text)"
  }
}
