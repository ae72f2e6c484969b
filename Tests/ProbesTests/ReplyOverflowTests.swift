import Glibc
import Lab
import Model
import SystemRuntime
import Testing

@testable import Probes

@Suite struct ReplyOverflowTests {
  private let v4 = ChannelKey(.v4, isTrace: false)
  private let v6 = ChannelKey(.v6, isTrace: false)

  private func memory(_ dropped: UInt32, room: UInt32 = 425_984) -> EchoSocket.ReceiveMemory {
    EchoSocket.ReceiveMemory(dropped: dropped, room: room)
  }

  @Test func `what had no room is counted for each socket, and said once`() {
    var overflow = ReplyOverflow()
    #expect(overflow.update(memory(0), of: v4) == nil && overflow.total == 0)
    let text = overflow.update(memory(7), of: v4)
    #expect(text?.hasPrefix("7 messages had no room in the receive buffer") == true)
    #expect(text?.contains("`sysctl -w net.core.rmem_max=8388608`") == true)
    #expect(overflow.update(memory(7), of: v4) == nil && overflow.total == 7)
    #expect(overflow.update(memory(9), of: v4) == nil && overflow.update(memory(5), of: v6) == nil)
    #expect(overflow.total == 14)
  }

  @Test func `a counter that wraps goes on`() {
    var overflow = ReplyOverflow()
    _ = overflow.update(memory(.max - 1), of: v4)
    let before = overflow.total
    _ = overflow.update(memory(2), of: v4)
    #expect(overflow.total - before == 4)
  }

  @Test func `a buffer that is as large as it can be asks for fewer probes`() {
    var overflow = ReplyOverflow()
    let text = overflow.update(memory(1, room: 16 << 20), of: v4)
    #expect(
      text?.contains("rmem_max") == false
        && text?.hasSuffix("probe fewer targets, or with fewer requests.") == true)
  }

  /// Replies of the loopback to a socket whose buffer has room for few of them.
  @Test(.needs(.namespaces), arguments: [true, false])
  func `the kernel's count is what did not come`(isDatagram: Bool) async throws {
    let namespace = try await NetworkNamespace()
    try await namespace.setSysctl("net.ipv4.ping_group_range", to: isDatagram ? "0 2147483647" : "1 0")
    let (kind, before, received, after) = try await namespace.inside {
      let packet = EchoPacket(secret: 1)
      let socket = try EchoSocket(.v4, identifier: 77)
      let before = socket.receiveMemory
      var size: CInt = 1
      // In bounds: one number.
      unsafe setsockopt(socket.descriptor, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<CInt>.size))
      let loopback = IPAddress(v4: 0x7f00_0001)
      for number in UInt16(1)...100 {
        var messages = EchoMessages()
        messages.add(to: loopback) { bytes in
          packet.write(
            .v4, identifier: socket.identifier, sequence: number,
            token: EchoToken(target: 1, round: 1, number: number), payload: 500, to: &bytes)
        }
        #expect(try socket.send(messages, from: 0, atMost: 1) == 1)
      }
      var buffer = EchoBuffer()
      var received = 0
      // The kernel answers before it returns from the request.
      while case let count = socket.receive(errors: false, into: &buffer, { _, _ in }), count > 0 {
        received += count
      }
      return (socket.kind, before, received, socket.receiveMemory)
    }
    #expect(kind == (isDatagram ? .datagram : .raw))
    #expect(before?.dropped == 0 && before?.room ?? 0 >= 212_992)
    let dropped = try #require(after?.dropped)
    // A raw socket without room counts also what is not for it: here each request.
    let lost = 100 - received
    #expect(
      lost > 0 && (isDatagram ? lost...lost : lost...(lost + 100)).contains(Int(dropped)),
      "\(received) came, \(dropped) did not")
  }
}
