import Glibc
import Lab
import Model
import SystemRuntime
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
    #expect(before.interface(of: v4) == LocalAddresses.loopback && before.interface(of: v6) == 1)
    try await namespace.ip("addr del 198.51.100.9/24 dev lo")
    let after = try await namespace.inside { try LocalAddressReader().read() }
    #expect(!after.contains(v4) && after.contains(v6))
  }

  @Test(.needs(.namespaces))
  func `each address has its interface, one of two interfaces none, and the way there has one of them`()
    async throws
  {
    let namespace = try await NetworkNamespace()
    for (name, address) in [("one", "198.51.100.9/24"), ("two", "203.0.113.9/24")] {
      try await namespace.ip("link add \(name) type veth")
      try await namespace.ip("link set \(name) up")
      try await namespace.ip("addr add \(address) dev \(name)")
      try await namespace.ip("addr add 192.0.2.1/32 dev \(name)")
    }
    try await namespace.ip("-6 addr add 2001:db8::9/64 dev two nodad")
    let (local, interfaces) = try await namespace.inside {
      (try LocalAddressReader().read(), try InterfaceTable().read())
    }
    let index = Dictionary(interfaces.map { ($0.name, $0.index) }) { first, _ in first }
    func interface(_ text: String) throws -> Int32? { local.interface(of: try #require(IPAddress(text))) }
    #expect(try interface("198.51.100.9") == index["one"] && index["one"] != nil)
    #expect(try interface("203.0.113.9") == index["two"] && interface("2001:db8::9") == index["two"])
    #expect(try interface("192.0.2.1") == nil && local.contains(try #require(IPAddress("192.0.2.1"))))
    #expect(try interface("198.51.100.1") == nil && interface("127.0.0.5") == LocalAddresses.loopback)
    let sources = try await namespace.inside {
      ["203.0.113.77", "198.51.100.9", "8.8.8.8"].map { SourceAddress.towards(IPAddress($0) ?? .anyV6) }
    }
    #expect(sources == [IPAddress("203.0.113.9"), IPAddress("198.51.100.9"), nil])
  }
}
