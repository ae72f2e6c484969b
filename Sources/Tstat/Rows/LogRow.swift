import Model

/// Why a row cannot be used.
struct RowError: Error {
  var reason: String
}

/// The fields of a line by the names of its header.
struct LogRow {
  /// An end of the connection.
  struct End {
    var address: String
    var port: Int64
  }

  /// What holds the line.
  let buffer: [UInt8]
  /// Where the fields are in it.
  let fields: [Range<Int>]
  let header: LogHeader

  /// A side's address and port.
  func end(ofServer isServer: Bool) throws(RowError) -> End {
    let text = buffer[field(header.place(.address, ofServer: isServer))]
    guard text.count > 0, text.count <= 64, Self.isAddress(text) else {
      throw RowError(reason: "the \(isServer ? "server" : "client") has no address")
    }
    let port = try count(.port, ofServer: isServer)
    guard port <= 65_535 else { throw wrong(.port, ofServer: isServer, "is no port") }
    return End(address: String(decoding: text, as: UTF8.self), port: port)
  }

  /// An address, of IPv6 also with its zone.
  private static func isAddress(_ text: ArraySlice<UInt8>) -> Bool {
    let address = text.prefix { $0 != UInt8(ascii: "%") }
    guard let value = IPAddress(utf8: address) else { return false }
    return address.count == text.count || !value.isV4
  }

  /// A whole number that is not negative, times a factor.
  func count(
    _ column: LogColumn.Side, ofServer isServer: Bool, times factor: Int64 = 1
  ) throws(RowError) -> Int64 {
    guard case .whole(let number) = number(field(header.place(column, ofServer: isServer))), number >= 0
    else {
      throw wrong(column, ofServer: isServer, "is not a count")
    }
    let product = number.multipliedReportingOverflow(by: factor)
    guard !product.overflow else { throw wrong(column, ofServer: isServer, "is too large") }
    return product.partialValue
  }

  /// A time or duration, which is not negative, rounded to three decimals or exact; nil where it is NaN or infinite.
  func time(at place: Int?, of name: String, isExact: Bool = false) throws(RowError) -> Double? {
    let range = field(place)
    let number = number(range)
    if case .notFinite = number { return nil }
    let time = isExact ? LogNumber.exactly(buffer.span.extracting(range)) : number.value
    guard let time, time >= 0, time < 1e17 else { throw RowError(reason: "\(name) is no time") }
    // Not the zero with a sign.
    return abs(time)
  }

  /// The duration of a connection in milliseconds.
  func duration(_ column: LogColumn.Shared) throws(RowError) -> Double? {
    try time(at: header.place(column), of: LogColumn.name(column))
  }

  /// A number; nil where there is no such column, or it is NaN, infinite or negative.
  func value(_ column: LogColumn.Side, ofServer isServer: Bool) throws(RowError) -> LogNumber? {
    guard let place = header.place(column, ofServer: isServer) else { return nil }
    switch number(field(place)) {
    case .notFinite: return nil
    case .unreadable: throw wrong(column, ofServer: isServer, "is no number")
    // Nothing of these can be; the rest of the row is good.
    case let number: return number.value.map { $0 < 0 } ?? false ? nil : number
    }
  }

  /// One of both sides' numbers: the client's where it stands before the server's in `order`.
  func ends(_ column: LogColumn.Side, _ order: (Double, Double) -> Bool) throws(RowError) -> LogNumber? {
    guard let client = try value(column, ofServer: false), let server = try value(column, ofServer: true),
      let (first, second) = client.value.flatMap({ first in server.value.map { (first, $0) } })
    else { return nil }
    return order(first, second) ? client : server
  }

  private func wrong(_ column: LogColumn.Side, ofServer isServer: Bool, _ what: String) -> RowError {
    RowError(reason: "\(isServer ? "s_" : "c_")\(LogColumn.name(column)) \(what)")
  }

  private func number(_ range: Range<Int>) -> LogNumber { LogNumber(buffer.span.extracting(range)) }

  private func field(_ place: Int?) -> Range<Int> {
    // A header without a needed column is refused before; an index that is in the header is one of the row.
    guard let place, place < fields.count else { return 0..<0 }
    return fields[place]
  }
}
