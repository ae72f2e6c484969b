import Model
import Testing

@testable import Netfilter
@testable import Ownership

/// Which namespace has an address.
@Suite struct NamespacesHomesTests {
  private static let addresses = (1...4).map { IPAddress(v4: 0x0a63_0000 + $0) }

  @Test func `an address is of those namespaces that have it, unless it is this one's`() {
    var homes = NamespaceHomes()
    homes.own = LocalAddresses([Self.addresses[0]])
    homes.set(LocalAddresses([Self.addresses[0], Self.addresses[1], Self.addresses[2]]), of: 7)
    homes.set(LocalAddresses([Self.addresses[2], IPAddress(v4: 0x7f00_0001)]), of: 8)
    // This namespace's own, one's, two's, nobody's, loopback.
    #expect(Self.addresses.map(homes.namespaces) == [[], [7], [7, 8], []])
    #expect(homes.namespaces(with: IPAddress(v4: 0x7f00_0001)) == [])
    homes.keep([8])
    #expect(Self.addresses.map(homes.namespaces) == [[], [], [8], []])
    homes.set(LocalAddresses([Self.addresses[3]]), of: 8)
    #expect(Self.addresses.map(homes.namespaces) == [[], [], [], [8]])
    homes.set(nil, of: 8)
    #expect(Self.addresses.allSatisfy { homes.namespaces(with: $0) == [] })
  }

  @Test func `one that did not answer may have any address`() {
    var homes = NamespaceHomes()
    homes.set(LocalAddresses([Self.addresses[0]]), of: 7)
    #expect(homes.haveAnswered)
    homes.set(nil, of: 8)
    #expect(!homes.haveAnswered)
    homes.keep([7])
    #expect(homes.haveAnswered && homes.namespaces(with: Self.addresses[0]) == [7])
  }

  @Test func `ten thousand namespaces with one address are read one after the other`() {
    var homes = NamespaceHomes()
    for namespace in 1...10_000 as ClosedRange<UInt64> {
      homes.set(LocalAddresses([Self.addresses[0], IPAddress(v4: UInt32(namespace))]), of: namespace)
    }
    #expect(homes.namespaces(with: Self.addresses[0]).count == 10_000)
    #expect(homes.namespaces(with: IPAddress(v4: 77)) == [77])
    homes.keep([77])
    #expect(homes.namespaces(with: Self.addresses[0]) == [77])
    #expect(homes.namespaces(with: IPAddress(v4: 78)) == [])
  }

  @Test func `new namespaces are read first, then those read longest ago`() {
    var homes = NamespaceHomes()
    for namespace in [3, 1, 2] as [UInt64] { homes.set(nil, of: namespace) }
    #expect(homes.nextToRead(of: [1, 2, 3, 4, 5], again: 2) == [4, 5, 3, 1])
    #expect(homes.knows([1, 2, 3]) && !homes.knows([3, 4]))
    homes.set(nil, of: 3)
    homes.keep([2, 3])
    #expect(homes.nextToRead(of: [1, 2, 3], again: 8) == [1, 2, 3])
  }
}
