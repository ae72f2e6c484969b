import Model
import Testing

@Suite struct IPAddressTests {
  @Test(arguments: [
    "0.0.0.0", "127.0.0.1", "192.0.2.255", "255.255.255.255", "::", "::1", "1::", "2001:db8::1", "fe80::1:2",
    "2001:db8:0:1:1:1:1:1", "2001:0:0:1::1", "1:2:3:4:5:6:7:8", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    "::fffe:102:304", "64:ff9b::c000:201", "0:1::", "1::2:0:0:3:0",
  ])
  func `canonical text is read and written alike`(text: String) throws {
    let address = try #require(IPAddress(text))
    #expect(address.description == text)
    #expect(address.isV4 == text.contains("."))
  }

  @Test(arguments: [
    ("0:0:0:0:0:0:0:0", "::"), ("2001:DB8::A", "2001:db8::a"), ("2001:0db8:0000::0001", "2001:db8::1"),
    ("::ffff:192.0.2.1", "192.0.2.1"), ("::ffff:c000:201", "192.0.2.1"), ("::192.0.2.1", "::c000:201"),
    ("1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"), ("64:ff9b::192.0.2.1", "64:ff9b::c000:201"),
    ("1::2:3:4:5:6:7", "1:0:2:3:4:5:6:7"), ("0:0:1:0:0:0:1:0", "0:0:1::1:0"),
    ("1:0:0:2:0:0:3:4", "1::2:0:0:3:4"),
    ("::0", "::"), ("0.0.0.0", "0.0.0.0"), ("10.0.200.0", "10.0.200.0"),
  ])
  func `any form of RFC 4291 is written as RFC 5952 says`(text: String, canonical: String) throws {
    #expect(try #require(IPAddress(text)).description == canonical)
  }

  @Test(arguments: [
    "", " ", ".", "...", "1", "1.2.3", "1.2.3.4.5", "1.2.3.", ".1.2.3", "1..2.3", "256.1.1.1", "1.2.3.999",
    "1.2.3.0004", "+1.2.3.4", "-1.2.3.4", "1.2.3.4 ", " 1.2.3.4", "1.2.3.4\n", "1.2.3.4\0", "0x1.2.3.4",
    "1.2.3.a", "01.2.3.4", "001.002.003.004", "1.2.3.00", "::ffff:1.2.03.4",
    "١.٢.٣.٤", "１.2.3.4", "1.2.3.４", ":", ":::", "1:", ":1", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:",
    ":1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9", "1::2::3", "1:::2", "::1::", "12345::", "::g", "::-1", "::+1", "1:2:3:4:5:6:7::8",
    "::1.2.3", "::1.2.3.4.5", "1.2.3.4::", "::1.2.3.4:5", "1:2:3:4:5:6:7:1.2.3.4", "::ffff:1.2.3.256",
    "[::1]",
    "::1%eth0", "::1/64", "fe80::１", "fe80::ａ", "::é", "localhost", "::\0",
  ])
  func `anything else is no address`(text: String) {
    #expect(IPAddress(text) == nil)
  }

  @Test(arguments: [100_000, 1_000_000])
  func `endless text is no address and soon read`(count: Int) {
    for pattern in ["1", ":", "1:", "1.", "::", "f"] {
      #expect(IPAddress(String(repeating: pattern, count: count)) == nil)
    }
  }

  @Test func `every text that is written is read back`() throws {
    var state: UInt64 = 42
    func next() -> UInt64 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      // Half of the groups are zero, so that runs of zeros of all lengths and places occur.
      return [48, 32, 16, 0].reduce(UInt64(0)) { half, shift in
        (state >> (60 - UInt64(shift) / 8)) & 1 == 0 ? half : half | (state >> 7 & 0xffff) << UInt64(shift)
      }
    }
    for _ in 0..<2000 {
      let address = IPAddress(high: next(), low: next())
      #expect(IPAddress(address.description) == address)
    }
  }

  @Test func `a mapped address is the address`() {
    #expect(IPAddress("::ffff:127.0.0.1") == IPAddress(v4: 0x7f00_0001))
    #expect(IPAddress(v4: 0x7f00_0001).v4Bits == 0x7f00_0001)
    #expect(IPAddress(high: 0, low: 1).v4Bits == nil)
  }

  @Test(arguments: [
    ("127.0.0.1", true, false, false), ("127.255.255.255", true, false, false),
    ("128.0.0.0", false, false, false),
    ("126.255.255.255", false, false, false), ("::1", true, false, false), ("::2", false, false, false),
    ("1::1", false, false, false), ("224.0.0.0", false, true, false), ("239.255.255.255", false, true, false),
    ("240.0.0.0", false, false, false), ("223.255.255.255", false, false, false),
    ("ff00::", false, true, false),
    ("ff02::1", false, true, false), ("fe80::1", false, false, false), ("0.0.0.0", false, false, true),
    ("::", false, false, true), ("::ffff:127.0.0.1", true, false, false),
  ])
  func `an address knows what it is for`(text: String, loopback: Bool, multicast: Bool, unspecified: Bool)
    throws
  {
    let address = try #require(IPAddress(text))
    #expect(address.isLoopback == loopback)
    #expect(address.isMulticast == multicast)
    #expect(address.isUnspecified == unspecified)
  }

  @Test func `limited broadcast is one address`() {
    #expect(IPAddress("255.255.255.255")?.isLimitedBroadcast == true)
    #expect(IPAddress("255.255.255.254")?.isLimitedBroadcast == false)
    #expect(IPAddress("::ffff:ffff")?.isLimitedBroadcast == false)
  }

  @Test func `an endpoint puts IPv6 into brackets`() throws {
    let v6 = try #require(IPAddress("2001:db8::1"))
    #expect(Endpoint(address: v6, port: 443).description == "[2001:db8::1]:443")
    #expect(Endpoint(address: .anyV4, port: 0).description == "0.0.0.0:0")
  }
}
