import Model
import Testing

@testable import Pipes

@Suite struct PathCountersTests {
  @Test func `each address has what moved through it, in its own direction`() {
    let paths = PathCounters()
    let (client, target) = (IPAddress(v4: 1), IPAddress(v4: 2))
    for (count, direction) in [(5, Direction.received), (70, .sent), (1, .received)] {
      paths.counters(of: client)?.add(count, direction)
      paths.counters(of: target)?.add(count, direction.reversed)
    }
    #expect(paths.usages == [client: Usage(received: 6, sent: 70), target: Usage(received: 70, sent: 6)])
    #expect(paths.counters(of: nil) == nil)
  }

  @Test func `addresses without room are counted for none`() {
    let paths = PathCounters()
    for bits in 1...UInt32(200) { paths.counters(of: IPAddress(v4: bits))?.add(1, .sent) }
    #expect(paths.usages.count == PathCounters.limit)
    #expect(paths.counters(of: IPAddress(v4: 1)) != nil && paths.counters(of: IPAddress(v4: 200)) == nil)
  }
}
