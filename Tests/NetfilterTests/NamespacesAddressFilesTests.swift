import Model
import Testing

@testable import Netfilter

@Suite struct NamespacesAddressFilesTests {
  /// As Linux 6.18 prints it for a container with 172.30.0.2/24 and a second, /32 address.
  static let trie = """
    Main:
      +-- 0.0.0.0/0 3 0 5
         |-- 0.0.0.0
            /0 universe UNICAST
         +-- 127.0.0.0/8 2 0 2
            +-- 127.0.0.0/31 1 0 0
               |-- 127.0.0.0
                  /8 host LOCAL
               |-- 127.0.0.1
                  /32 host LOCAL
            |-- 127.255.255.255
               /32 link BROADCAST
         +-- 172.30.0.0/24 2 0 2
            |-- 172.30.0.0
               /24 link UNICAST
            |-- 172.30.0.2
               /32 host LOCAL
            |-- 172.30.0.255
               /32 link BROADCAST
         |-- 203.0.113.9
            /32 host LOCAL
    Local:
         |-- 172.30.0.2
            /32 host LOCAL
    """

  @Test func `fib_trie tells the own addresses, each once`() {
    var routes = AddressFiles.LocalRoutes()
    var addresses: [IPAddress] = []
    for line in Self.trie.split(separator: "\n") { routes.read(String(line), into: &addresses) }
    #expect(addresses.map(\.description) == ["127.0.0.1", "172.30.0.2", "203.0.113.9"])
  }

  @Test(arguments: [
    "", "|--", "|-- x\n/32 host LOCAL", "/32 host LOCAL", "|-- 1.2.3.4 5\n/32 host LOCAL",
    "|-- 1.2.3.4\n/24 host LOCAL", "|-- 1.2.3.4\n/32 link BROADCAST",
  ])
  func `other lines tell nothing`(text: String) {
    var routes = AddressFiles.LocalRoutes()
    var addresses: [IPAddress] = []
    for line in text.split(separator: "\n") { routes.read(String(line), into: &addresses) }
    #expect(addresses.isEmpty)
  }

  @Test(
    arguments: [
      ("00000000000000000000000000000001 01 80 10 80       lo", "::1"),
      ("20010db8000000000000000000000077 02 40 00 80     eth0", "2001:db8::77"),
      ("20010db8000000000000000000000077", "2001:db8::77"), ("20010db800000000000000000000007 02", nil),
      ("20010db80000000000000000000000777 02", nil), ("+0010db8000000000000000000000077 02", nil),
      ("zz010db8000000000000000000000077 02", nil), ("", nil),
    ] as [(String, String?)])
  func `if_inet6 begins with an address`(line: String, address: String?) {
    #expect(AddressFiles.v6Address(line)?.description == address)
  }

  @Test func `the files of this process tell what the kernel tells`() throws {
    let kernel = try LocalAddressReader().read()
    let files = try AddressFiles.read("/proc/thread-self/net")
    #expect(files.addresses == kernel.addresses)
  }
}
