/// What a section `[ssl_options]` says of the other side's certificate.
public struct CertificateRules: Sendable, Hashable {
  /// False to take any certificate.
  public var verifies = true
  /// A file of the certificates to trust in place of the system's; nil for the system's.
  public var authorities: String?
  /// What is understood and most likely not meant so.
  public var warnings: [INIWarning] = []
}

extension INISection {
  /// The keys of `[ssl_options]`: those of Python's `ssl.wrap_socket`, and the name in the certificate.
  public static let tlsKeys = [
    "ca_certs", "cert_reqs", "keyfile", "certfile", "ciphers", "ssl_version", "server_hostname",
  ]

  /// Reads `ca_certs` and `cert_reqs`: an empty one is as none. There is no warning for what is not `isUsed`.
  public func certificateRules(isUsed: Bool) throws(INIError) -> CertificateRules {
    var rules = CertificateRules()
    if let entry = entry("ca_certs"), !entry.value.isEmpty {
      guard entry.value.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7f }) else {
        throw error(at: entry, "ca_certs must be the path of a file, in one line")
      }
      rules.authorities = entry.value
    }
    guard let entry = entry("cert_reqs"), !entry.value.isEmpty else { return rules }
    switch Self.constant(entry.value) {
    // The other side always shows a certificate: Python's optional is required here too.
    case "cert_required", "cert_optional", "required", "optional", "2", "1": rules.verifies = true
    case "cert_none", "none", "0": rules.verifies = false
    default:
      let words = ["CERT_REQUIRED", "CERT_NONE"]
      let hint =
        Spelling.nearest(to: entry.value, in: words).map { " (did you mean \($0)?)" }
        ?? ": write CERT_REQUIRED, or CERT_NONE to take any certificate"
      throw error(at: entry, "cert_reqs=\(INIError.quoted(entry.value)) is not known\(hint)")
    }
    if isUsed, !rules.verifies {
      rules.warnings.append(
        INIWarning(
          file: file, line: entry.line,
          what: "no certificate is looked at, so anybody on the way can read and change what is sent: "
            + "name who issued it by ca_certs instead"))
    }
    return rules
  }

  /// A name of Python's module ssl, with or without the module's name before it, in small letters.
  public static func constant(_ value: String) -> String {
    let value = value.lowercased()
    return value.hasPrefix("ssl.") ? String(value.dropFirst(4)) : value
  }
}
