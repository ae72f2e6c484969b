import Aggregation
import Model
import Testing

/// What an application moved through the interfaces that were asked for.
@Suite struct AggregatorPathsTests {
  private static let address = IPAddress(v4: 1)

  private func part(_ interface: Int32, _ sent: UInt64) -> InterfaceUsage {
    InterfaceUsage(interface: interface, usage: Usage(sent: sent))
  }

  private func reading(_ pid: Int32, _ commandLine: String, _ sent: UInt64, _ parts: InterfaceUsage...)
    -> Reading
  {
    var made = AggregationTests.reading(process(pid, commandLine), 0, sent)
    made.interfaces = parts
    return made
  }

  private func measured(
    _ readings: [Reading], _ passed: UInt64, interval: Duration? = .seconds(1)
  ) -> Measurement {
    var made = AggregationTests.measured(readings, interval: interval)
    made.paths = [PathUsage(address: Self.address, interface: 2, usage: Usage(sent: passed))]
    return made
  }

  @Test func `processes and meters add up, and each tick begins at nothing`() throws {
    var aggregator = Aggregator(rules: try rules("web=nginx"))
    let readings = [
      reading(1, "nginx a", 10, part(2, 4), part(3, 6)), reading(2, "nginx b", 5, part(2, 5)),
      reading(3, "ssh", 7),
    ]
    var report = aggregator.absorb([measured(readings, 30), measured([readings[1]], 5)], at: noon)
    let web = try #require(report.row("web"))
    #expect(Set(web.interfaces) == [part(2, 14), part(3, 6)] && web.moved == Usage(sent: 20))
    #expect(report.row("ssh")?.interfaces == [])
    #expect(
      report.paths == [PathUsage(address: Self.address, interface: 2, usage: Usage(sent: 35))])
    report = aggregator.absorb([measured([reading(3, "ssh", 1, part(2, 1))], 1)], at: noon)
    #expect(report.row("web")?.interfaces == [] && report.row("ssh")?.interfaces == [part(2, 1)])
    #expect(report.paths.map(\.usage) == [Usage(sent: 1)])
    #expect(aggregator.absorb([AggregationTests.measured([])], at: noon).paths.isEmpty)
  }

  @Test func `what had moved before passed nothing in this tick`() throws {
    var aggregator = Aggregator(rules: try rules("web=nginx"))
    let report = aggregator.absorb(
      [measured([reading(1, "nginx", 10, part(2, 10))], 10, interval: nil)], at: noon)
    #expect(report.row("web")?.interfaces == [] && report.paths.isEmpty)
    #expect(report.row("web")?.total == Usage(sent: 10))
  }
}
