import Aggregation
import Model
import Testing

@Suite struct ProbePathsTests {
  /// What the routes say: 192.0.2.x by 10.0.0.1, all else by 10.1.0.1; link-local ones by an address of their interface.
  private final class Routes {
    var byLink: [UInt64: UInt32] = [192: 0x0a00_0001]
    func source(_ address: IPAddress, _ zone: UInt32) -> IPAddress? {
      if zone != 0 { return IPAddress(high: 0xfe80 << 48, low: UInt64(zone)) }
      guard let bits = address.v4Bits else { return nil }
      return IPAddress(v4: byLink[UInt64(bits >> 24)] ?? 0x0a01_0001)
    }
  }

  private func target(_ name: String, _ bits: UInt32) -> ProbeTarget {
    ProbeTarget(name: name, address: IPAddress(v4: bits))
  }

  @Test func `each target has the address that it is reached by, and another one once the route has changed`()
  {
    let routes = Routes()
    var paths = ProbePaths { routes.source($0, $1) }
    paths.locate(target("gw", 0xc000_0201), zone: 0)
    paths.locate(target("web", 0x0808_0808), zone: 0)
    paths.locate(target("far", 0xc000_0209), zone: 0)
    #expect(paths.sources == [IPAddress(v4: 0x0a00_0001), IPAddress(v4: 0x0a01_0001)])
    #expect(paths.sources(towards: ["gw"]) == [IPAddress(v4: 0x0a00_0001)])
    #expect(paths.sources(towards: ["gw", "web"]).count == 2)
    #expect(paths.sources(towards: ["unknown"]).isEmpty && paths.sources(towards: []).isEmpty)
    routes.byLink = [:]
    #expect(paths.sources(towards: ["gw"]) == [IPAddress(v4: 0x0a00_0001)])
    paths.refresh("gw")
    paths.refresh("unknown")
    #expect(paths.sources(towards: ["gw"]) == [IPAddress(v4: 0x0a01_0001)])
    paths.keep(only: ["web"])
    #expect(paths.sources == [IPAddress(v4: 0x0a01_0001)] && paths.sources(towards: ["gw"]).isEmpty)
  }

  @Test func `a link-local target has its interface, one without a route nothing`() {
    let routes = Routes()
    var paths = ProbePaths { routes.source($0, $1) }
    let linkLocal = IPAddress(high: 0xfe80 << 48, low: 99)
    paths.locate(ProbeTarget(name: "router", address: linkLocal), zone: 7)
    paths.locate(ProbeTarget(name: "six", address: IPAddress(high: 1, low: 1)), zone: 0)
    #expect(paths.sources(towards: ["router"]) == [IPAddress(high: 0xfe80 << 48, low: 7)])
    #expect(paths.sources(towards: ["six"]).isEmpty && paths.sources.count == 1)
  }

  @Test func `a target whose route has gone keeps the path that fails`() {
    var source: IPAddress? = IPAddress(v4: 0x0a00_0001)
    var paths = ProbePaths { _, _ in source }
    paths.locate(target("gw", 0xc000_0201), zone: 0)
    source = nil
    paths.refresh("gw")
    #expect(paths.sources(towards: ["gw"]) == [IPAddress(v4: 0x0a00_0001)])
    // Its name was looked up again.
    paths.locate(target("gw", 0xc000_0201), zone: 0)
    #expect(paths.sources(towards: ["gw"]) == [IPAddress(v4: 0x0a00_0001)])
    paths.locate(target("gw", 0xc000_0202), zone: 0)
    #expect(paths.sources(towards: ["gw"]).isEmpty)
  }

  @Test func `no more are asked for than a sensor takes`() {
    var paths = ProbePaths { address, _ in address }
    for number in UInt32(1)...200 { paths.locate(target("t\(number)", number), zone: 0) }
    #expect(paths.sources.count == PathUsage.most)
  }
}
