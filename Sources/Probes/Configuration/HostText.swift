import Model

/// Whether a text can be a host: a name, an address, or a link-local address with its interface (RFC 4007).
enum HostText {
  /// Why `host` can be neither a name nor an address, and what to write; nil where it can.
  static func reasonNotAHost(_ host: String) -> String? {
    if host.isEmpty { return "is empty: write a host name or an address" }
    if host.utf8.count > 253 { return "is too long: a host name has at most 253 bytes" }
    if host.contains("=") { return "is an option, not a host: begin the line with the host" }
    if let percent = host.firstIndex(of: "%") {
      return reasonNotScoped(host[..<percent], host[host.index(after: percent)...])
    }
    if let address = IPAddress(host) { return address.isLinkLocalV6 ? needsInterface : nil }
    if host.hasPrefix("["), host.hasSuffix("]") { return "has brackets: write the address without them" }
    if host.contains("/") { return "is not a host name: write it without scheme and path" }
    if let colon = host.firstIndex(of: ":") {
      let isPort = UInt16(host[host.index(after: colon)...]) != nil
      return isPort ? "names a port: write the host alone" : "is not an IPv6 address: correct it"
    }
    return reasonNotAName(host)
  }

  private static let needsInterface =
    "is a link-local address (fe80::/10), which means nothing without its interface: write %eth0 behind it, with "
    + "the interface that leads there"

  private static func reasonNotScoped(_ address: Substring, _ zone: Substring) -> String? {
    guard let address = IPAddress(address), !address.isV4 else {
      return "has a % behind what is no IPv6 address: correct it"
    }
    guard address.isLinkLocalV6 || address.isMulticast else {
      return "names an interface, which is for link-local addresses (fe80::/10): write \(address)"
    }
    // IFNAMSIZ, with its NUL (linux/if.h).
    let isName =
      (1...15).contains(zone.utf8.count) && zone.utf8.allSatisfy { $0 > 0x20 && $0 != 0x2f && $0 != 0x7f }
    return isName ? nil : needsInterface
  }

  /// RFC 1123, 2.1, with the underscores that DNS has in practice; other scripts are the resolver's to judge.
  private static func reasonNotAName(_ host: String) -> String? {
    let plain = host.hasSuffix(".") ? host.dropLast() : host[...]
    let labels = plain.split(separator: ".", omittingEmptySubsequences: false)
    if labels.contains(where: \.isEmpty) { return "has a dot too many: correct it" }
    if labels.contains(where: { $0.utf8.count > 63 }) {
      return "is not a host name: a part has at most 63 bytes"
    }
    let isFine = plain.unicodeScalars.allSatisfy { scalar in
      scalar == "." || scalar == "-" || scalar == "_" || scalar.properties.isAlphabetic
        || scalar.properties.numericType != nil
        || (!scalar.isASCII && scalar.properties.canonicalCombiningClass.rawValue > 0)
    }
    if !isFine { return "is not a host name: it may have letters, digits, dots and hyphens" }
    let isDotted =
      labels.count == 4 && labels.allSatisfy { $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }
    return isDotted ? "is not an IPv4 address: each part is from 0 to 255" : nil
  }
}
