import Model
import SystemRuntime
import SystemPackage

/// The addresses of a network namespace as files of /proc/PID/net list them: what there is without the right to
/// enter it.
package enum AddressFiles {
  /// Returns the addresses that the files below `folder` list.
  package static func read(_ folder: String) throws(Errno) -> LocalAddresses {
    var lines = LineReader()
    var addresses: [IPAddress] = []
    var trie = LocalRoutes()
    _ = try lines.forEachLine(of: OpenFile("\(folder)/fib_trie")) { trie.read(text($0), into: &addresses) }
    // A kernel without IPv6 has no such file.
    if let file = try? OpenFile("\(folder)/if_inet6") {
      _ = try lines.forEachLine(of: file) { v6Address(text($0)).map { addresses.append($0) } }
    }
    return LocalAddresses(addresses)
  }

  /// The IPv4 routes to this host itself in fib_trie: a line `|-- ADDRESS`, below it one `/32 host LOCAL`.
  struct LocalRoutes {
    private var leaf: IPAddress?

    /// Takes the next line; appends the address that it makes known.
    mutating func read(_ line: String, into addresses: inout [IPAddress]) {
      let words = line.split(separator: " ")
      if words.count == 2, words[0] == "|--" { leaf = IPAddress(String(words[1])) }
      // The table is printed once for each name that it has.
      if words.elementsEqual(["/32", "host", "LOCAL"]), let leaf, !addresses.contains(leaf) {
        addresses.append(leaf)
      }
    }
  }

  /// The address at the start of a line of if_inet6: 32 hexadecimal digits.
  static func v6Address(_ line: String) -> IPAddress? {
    let digits = line.prefix { $0 != " " }
    guard digits.utf8.count == 32, digits.allSatisfy(\.isHexDigit),
      let high = UInt64(digits.prefix(16), radix: 16), let low = UInt64(digits.suffix(16), radix: 16)
    else { return nil }
    return IPAddress(high: high, low: low)
  }

  private static func text(_ line: Span<UInt8>) -> String {
    var bytes: [UInt8] = []
    for index in line.indices { bytes.append(line[index]) }
    return String(decoding: bytes, as: UTF8.self)
  }
}
