import CCrypto
public import Model

/// Up to a hundred directions, which are sent as one message.
public struct Slice: Sendable, Hashable {
  /// The most directions of a slice, as the original has it.
  static let mostRecords = 100

  /// Which one of its directory it is: the first is 0.
  public var number: Int
  /// A JSON array, without a line feed at its end.
  public var body: [UInt8]
  /// How many directions it has.
  public var recordCount: Int
  /// The log of its first direction: `log_tcp_complete`.
  public var log: String
  /// The line of its first direction in that log.
  public var firstRow: Int

  /// The message for the slice of the log directory of this name. Its id is the same whenever the same is sent again, and another
  /// one for other content, which names sensor and instance.
  ///
  /// - `source`: how the directory is called in the header `x-source`.
  /// - `time`: in seconds since 1970.
  public func record(directory: String, source: String, time: Int64) -> Record {
    Record(
      id: Digest.text(of: Array("\(directory)\n\(number)\n".utf8) + body), body: body, time: time,
      headers: [
        Record.Header("x-source", .text("\(source)/\(log)")),
        Record.Header("x-first-row", .number(Int64(firstRow))),
        Record.Header("x-rows", .number(Int64(recordCount))),
      ])
  }
}

/// A short text for content of any length.
private enum Digest {
  /// The first half of the SHA-256 of `bytes`, in hexadecimal: 128 bits tell all contents apart.
  static func text(of bytes: [UInt8]) -> String {
    var digest = [UInt8](repeating: 0, count: 32)
    // In bounds: SHA-256 writes 32 bytes (EVP_Digest(3)).
    let code = unsafe EVP_Digest(bytes, bytes.count, &digest, nil, EVP_sha256(), nil)
    precondition(code == 1, "SHA-256 is a part of every OpenSSL")
    return digest[..<16].map { byte in
      let digits = String(byte, radix: 16)
      return digits.count == 1 ? "0" + digits : digits
    }.joined()
  }
}
