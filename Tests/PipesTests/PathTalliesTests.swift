import Model
import Testing

@testable import Pipes

@Suite struct PathTalliesTests {
  @Test func `each address has what moved through it, in its own direction`() {
    let tallies = PathTallies()
    let (client, target) = (IPAddress(v4: 1), IPAddress(v4: 2))
    for (count, direction) in [(5, Direction.received), (70, .sent), (1, .received)] {
      tallies.tally(of: client)?.add(count, direction)
      tallies.tally(of: target)?.add(count, direction.reversed)
    }
    #expect(tallies.usages == [client: Usage(received: 6, sent: 70), target: Usage(received: 70, sent: 6)])
    #expect(tallies.tally(of: nil) == nil)
  }

  @Test func `addresses without room are counted for none`() {
    let tallies = PathTallies()
    for bits in 1...UInt32(200) { tallies.tally(of: IPAddress(v4: bits))?.add(1, .sent) }
    #expect(tallies.usages.count == PathTallies.limit)
    #expect(tallies.tally(of: IPAddress(v4: 1)) != nil && tallies.tally(of: IPAddress(v4: 200)) == nil)
  }
}
