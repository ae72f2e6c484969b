import Model
import Testing

@testable import Monitors

/// What a connection moved between the last reading and its end, when something else has its ends by then.
@Suite struct LastBytesTests {
  @Test(arguments: [(isNext: false, pid: Int32(9)), (true, 7)])
  func `the last bytes are the holder's, and the former one's if the next connection has the ends`(
    isNext: Bool, pid: Int32
  ) {
    var host = Scenario()
    let inode = host.socket(.tcp, "10.0.0.1:4000", "192.0.2.9:443", heldBy: 7)
    host.flow(1, .tcp, "10.0.0.1:4000", "192.0.2.9:443", bytes: (10, 10))
    #expect(host.tick().owners == [.pid(7): Usage(10, 10)])
    host.flow(1, .tcp, "10.0.0.1:4000", "192.0.2.9:443", bytes: (11, 12))
    host.ended = host.flows
    host.flows = []
    if isNext {
      host.sockets = []
      host.socket(.tcp, "10.0.0.1:4000", "192.0.2.9:443", heldBy: 9)
    } else {
      host.holders[inode] = [Scenario.process(9)]
    }
    #expect(host.tick().owners == [.pid(pid): Usage(2, 1)])
  }

  @Test func `a connection that was never seen alive is not given to who has its ends now`() {
    var host = Scenario()
    host.socket(.tcp, "10.0.0.1:4000", "192.0.2.9:443", heldBy: 9)
    host.flow(1, .tcp, "10.0.0.1:4000", "192.0.2.9:443", bytes: (11, 12))
    host.ended = host.flows
    host.flows = []
    #expect(host.tick().owners == [.unattributed(.ambiguous): Usage(12, 11)])
  }
}
