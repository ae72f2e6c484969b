import Lab
import Glibc
import KernelLab
import Model
import SystemRuntime
import Testing

@testable import Netfilter

/// The running kernel's events of its connection table, in a namespace of the test's own, to a reader with little room.
@Suite(.needs(.namespaces))
struct ConntrackEventsTests {
  /// With 4 KiB the kernel takes a quarter of a minute.
  @Test(arguments: [CInt(16_384), 4_096])
  func `reliable delivery loses no end, however little fits`(receiveBuffer: CInt) throws {
    try ConntrackLab.inside {
      var events = try ConntrackEvents(receiveBuffer: receiveBuffer)
      let isReliable = events.isReliable
      #expect(isReliable)
      try ConntrackLab.makeFlows()
      // Not read until all have ended.
      try ConntrackLab.run(["conntrack", "-F"])
      var ended: Set<UInt16> = []
      var bytes: Set<UInt64> = []
      let isWhole = try ConntrackLab.eventually {
        let receipt = try events.receive(limit: 10_000) { event in
          guard case .destroyed(let flow) = event, flow.original.transport == .udp else { return }
          ended.insert(flow.original.destination.port)
          bytes.insert(flow.counters.originalBytes)
        }
        #expect(!receipt.hasLost)
        return ended.count == Int(ConntrackLab.flows)
      }
      #expect(isWhole, "\(ended.count) of \(ConntrackLab.flows)")
      #expect(bytes == [128])
    }
  }

  @Test func `without it a loss is reported`() throws {
    try ConntrackLab.inside {
      var events = try ConntrackEvents(receiveBuffer: 4_096)
      events.setReliable(false)
      try ConntrackLab.makeFlows()
      try ConntrackLab.run(["conntrack", "-F"])
      var ended = 0
      var hasLost = false
      var isDrained = false
      while !isDrained {
        let receipt = try events.receive(limit: 100) { if case .destroyed = $0 { ended += 1 } }
        hasLost = hasLost || receipt.hasLost
        isDrained = receipt.isDrained
      }
      #expect(hasLost && ended < Int(ConntrackLab.flows))
    }
  }

  @Test func `the buffer is as large as is asked for, whatever the system's limit`() throws {
    try ConntrackLab.inside {
      let events = try ConntrackEvents()
      var size: CInt = 0
      var length = socklen_t(MemoryLayout<CInt>.size)
      // In bounds: the kernel writes one number.
      #expect(unsafe getsockopt(events.descriptor, SOL_SOCKET, SO_RCVBUF, &size, &length) == 0)
      // The kernel doubles it, for what it spends itself.
      #expect(size == 2 * ConntrackEvents.receiveBuffer)
    }
  }
}
