import CCrypto

/// A short text for content of any length.
enum Digest {
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
