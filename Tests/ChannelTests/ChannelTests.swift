import Model
import SystemRuntime
import Testing

@testable import Channel

/// Messages between two ends of a stream.
@Suite struct ChannelTests {
  private func far(_ seconds: Int = 60) -> Instant { .now + .seconds(seconds) }

  @Test func `what one end sends the other receives, in order, until it ends`() throws {
    let pair = try LocalSocket.Pair()
    var one = Channel(pair.ours)
    var other = Channel(pair.theirs)
    for message in MessageTests.messages { try one.send(message) }
    one.endSending()
    for message in MessageTests.messages { #expect(try other.receive(until: far()) == message) }
    #expect(throws: ChannelError.closed) { try other.receive(until: nil) }
    try other.send(.remark("still there"))
    #expect(try one.receive(until: far()) == .remark("still there"))
  }

  @Test func `a deadline that has passed takes only what has come`() throws {
    let pair = try LocalSocket.Pair()
    var one = Channel(pair.ours)
    var other = Channel(pair.theirs)
    #expect(try other.receive(until: .now) == nil)
    #expect(try other.receive(until: .now + .milliseconds(1)) == nil)
    try one.send(.ready)
    #expect(try other.receive(until: .now) == .ready)
  }

  @Test func `an end that takes nothing delays nobody, and what waits has a bound`() throws {
    let pair = try LocalSocket.Pair()
    var one = Channel(pair.ours)
    var other = Channel(pair.theirs)
    let long = Message.remark(String(repeating: "x", count: 8 << 20))
    var sent = 0
    #expect(throws: ChannelError.full) {
      while sent < 100 {
        try one.send(long)
        sent += 1
      }
    }
    #expect(sent > 4 && sent < 12)
    // Whoever waits for an answer sends what waits meanwhile.
    for _ in 0..<sent {
      var received: Message?
      while received == nil {
        _ = try one.receive(until: .now)
        received = try other.receive(until: .now)
      }
      #expect(received == long)
    }
  }

  @Test func `an end that has gone is noticed by who sends and who receives`() throws {
    let pair = try LocalSocket.Pair()
    var one = Channel(pair.ours)
    do { _ = Channel(pair.theirs) }
    #expect(throws: ChannelError.closed) { try one.send(.ready) }
    #expect(throws: ChannelError.closed) { try one.receive(until: nil) }
  }
}
