import Glibc
import Lab
import Model
import Testing

@testable import Netfilter

/// The addresses that the running kernel tells (RTM_GETADDR), beside what getifaddrs(3) tells.
@Suite struct LocalAddressesTests {
  /// The addresses of this host's interfaces as the C library finds them.
  private func expected() throws -> [IPAddress] {
    var list: UnsafeMutablePointer<ifaddrs>?
    try #require(unsafe getifaddrs(&list) == 0)
    defer { unsafe freeifaddrs(list) }
    var addresses: [IPAddress] = []
    var next = unsafe list
    while let entry = unsafe next?.pointee {
      unsafe next = entry.ifa_next
      guard let address = unsafe entry.ifa_addr else { continue }
      switch unsafe CInt(address.pointee.sa_family) {
      case AF_INET:
        let bits = unsafe address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
          unsafe $0.pointee.sin_addr.s_addr
        }
        addresses.append(IPAddress(v4: UInt32(bigEndian: bits)))
      case AF_INET6:
        addresses.append(
          unsafe address.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { socket in
            let words = unsafe socket.pointee.sin6_addr.__in6_u.__u6_addr32
            return IPAddress(
              high: UInt64(UInt32(bigEndian: words.0)) << 32 | UInt64(UInt32(bigEndian: words.1)),
              low: UInt64(UInt32(bigEndian: words.2)) << 32 | UInt64(UInt32(bigEndian: words.3)))
          })
      default: break
      }
    }
    return addresses
  }

  @Test func `each address of an interface is this host's, and a stranger's is not`() throws {
    let reader = try LocalAddressReader()
    let addresses = try reader.read()
    let expected = try expected()
    try #require(!expected.isEmpty)
    for address in expected { #expect(addresses.contains(address), "\(address)") }
    #expect(!addresses.contains(IPAddress(v4: 0xcb00_7107)))  // 203.0.113.7, of documentation only
    #expect(try reader.read() == addresses)
  }

  @Test(.needs(.namespaces))
  func `an address that comes is found, with its broadcast, and one that goes is gone`() async throws {
    let namespace = try await NetworkNamespace()
    try await namespace.ip("addr add 198.51.100.9/24 brd + dev lo")
    try await namespace.ip("-6 addr add 2001:db8::9/64 dev lo nodad")
    let v4 = IPAddress(v4: 0xc633_6409)
    let v6 = IPAddress(high: 0x2001_0db8_0000_0000, low: 9)
    let before = try await namespace.inside { try LocalAddressReader().read() }
    #expect(before.contains(v4) && before.contains(v6))
    #expect(before.receives(IPAddress(v4: 0xc633_64ff)))
    #expect(!before.contains(IPAddress(v4: 0xc633_64ff)))
    try await namespace.ip("addr del 198.51.100.9/24 dev lo")
    let after = try await namespace.inside { try LocalAddressReader().read() }
    #expect(!after.contains(v4) && after.contains(v6))
  }
}
