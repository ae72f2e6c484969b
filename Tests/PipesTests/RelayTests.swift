import Testing

@testable import Pipes

@Suite struct RelayTests {
  /// What happens to a relay, in short.
  enum Event: Sendable {
    case readable, readableWithEnd, writable, took(Int), tookAll(Int), nothing, end, delivered(Int), spliced(
      Int), full,
      reported, senderFailed, receiverFailed, mark
  }

  private static func relay(_ events: [Event]) -> Relay {
    var relay = Relay()
    for event in events {
      switch event {
      case .readable: relay.becameReadable(endIsNear: false)
      case .readableWithEnd: relay.becameReadable(endIsNear: true)
      case .writable: relay.becameWritable()
      case .took(let bytes): relay.took(bytes, isAll: false)
      case .tookAll(let bytes): relay.took(bytes, isAll: true)
      case .nothing: relay.foundNothing()
      case .end: relay.foundEnd()
      case .delivered(let bytes): relay.delivered(bytes, isCopied: true)
      case .spliced(let bytes): relay.delivered(bytes, isCopied: false)
      case .full: relay.foundReceiverFull()
      case .reported: relay.finished()
      case .senderFailed: relay.senderFailed()
      case .receiverFailed: relay.receiverFailed()
      case .mark: relay.foundMark()
      }
    }
    return relay
  }

  @Test(
    arguments: [
      ([], .wait),
      ([.readable], .fill),
      // Never read what cannot be written.
      ([.full, .readable], .wait),
      ([.full, .readable, .writable], .fill),
      ([.readable, .took(10)], .drain),
      // A receiver that takes a part is full.
      ([.readable, .took(10), .delivered(4)], .wait),
      ([.readable, .took(10), .delivered(4), .writable], .drain),
      ([.readable, .took(10), .delivered(10)], .fill),
      // splice(2) stops at a signal too: only EAGAIN says that the receiver is full.
      ([.readable, .took(10), .spliced(4)], .drain),
      ([.readable, .took(10), .spliced(4), .full], .wait),
      ([.readable, .took(10), .spliced(10)], .fill),
      ([.readable, .took(10), .full], .wait),
      ([.readable, .took(10), .full, .writable], .drain),
      ([.readable, .took(10), .full, .readable], .wait),
      // A copy that got less than it asked for has emptied the socket; a splice never knows.
      ([.readable, .tookAll(10), .delivered(10)], .wait),
      ([.readable, .nothing], .wait),
      ([.readable, .nothing, .readable], .fill),
      // An end that was announced with the bytes must be looked for: no other event comes.
      ([.readableWithEnd, .tookAll(10), .delivered(10)], .fill),
      ([.readableWithEnd, .end], .finish),
      // The end waits for the bytes before it.
      ([.readable, .took(10), .end], .drain),
      ([.readable, .took(10), .end, .full], .wait),
      ([.readable, .took(10), .end, .delivered(10)], .finish),
      ([.readable, .end, .reported], .done),
      ([.readable, .end, .reported, .readable, .writable], .done),
      // recv(2) stops at urgent data: less than was asked for is not all.
      ([.mark, .readable, .tookAll(10), .delivered(10)], .fill),
      ([.mark, .readable, .tookAll(10), .delivered(10), .nothing], .wait),
      // What a sender had sent before it failed arrives, then its end is a reset.
      ([.senderFailed], .fill),
      ([.senderFailed, .tookAll(10)], .drain),
      ([.senderFailed, .tookAll(10), .delivered(10)], .fill),
      ([.senderFailed, .tookAll(10), .delivered(10), .end], .breakOff),
      ([.took(10), .senderFailed, .end], .drain),
      ([.took(10), .full, .senderFailed, .end], .wait),
      ([.senderFailed, .end], .breakOff),
      // An end that was passed on before stays an end.
      ([.readable, .end, .reported, .senderFailed], .done),
      // A receiver that has failed gets nothing more.
      ([.readable, .took(10), .receiverFailed], .done),
      ([.readable, .receiverFailed], .done),
      // To tell the end needs no room.
      ([.readable, .end, .full], .finish),
    ] as [([Event], Relay.Step)])
  func `the next step`(events: [Event], step: Relay.Step) {
    #expect(Self.relay(events).next == step)
  }

  @Test func `what the client said before the target was there is not lost`() {
    #expect(Relay(mayRead: true).next == .fill)
    var relay = Relay(endIsNear: true)
    #expect(relay.next == .fill)
    relay.took(5, isAll: true)
    relay.delivered(5, isCopied: true)
    #expect(relay.next == .fill)
  }

  /// A sender's socket and a pipe with few slots, as splice(2) sees them: EAGAIN for either.
  private struct Kernel {
    var segments: [Int]
    var slots: Int
    var pipe: [Int] = []
    var room: Int
    var delivered = 0

    mutating func fill() -> Int? {
      let count = min(segments.count, slots - pipe.count)
      guard count > 0 else { return nil }
      pipe += segments.prefix(count)
      segments.removeFirst(count)
      return pipe.suffix(count).reduce(0, +)
    }

    mutating func drain() -> Int? {
      let bytes = min(pipe.reduce(0, +), room)
      guard bytes > 0 else { return nil }
      var left = bytes
      while left > 0 {
        let piece = min(left, pipe[0])
        pipe[0] -= piece
        left -= piece
        if pipe[0] == 0 { pipe.removeFirst() }
      }
      room -= bytes
      delivered += bytes
      return bytes
    }
  }

  @Test(arguments: [(1, 16), (1, 1), (1448, 16), (1448, 256), (65536, 1)], [10, 100, 1_000_000])
  func `the tail arrives although EAGAIN is ambiguous, with one event in all`(
    shape: (segment: Int, slots: Int), room: Int
  ) {
    var kernel = Kernel(segments: Array(repeating: shape.segment, count: 60), slots: shape.slots, room: room)
    let bytes = 60 * shape.segment
    var relay = Relay()
    relay.becameReadable(endIsNear: false)
    var steps = 0
    while kernel.delivered < bytes, steps < 4 * bytes + 10_000 {
      steps += 1
      switch relay.next {
      case .fill:
        #expect(kernel.pipe.isEmpty)
        if let count = kernel.fill() { relay.took(count, isAll: false) } else { relay.foundNothing() }
      case .drain:
        if let count = kernel.drain() {
          relay.delivered(count, isCopied: false)
        } else {
          relay.foundReceiverFull()
        }
      case .wait:
        #expect(kernel.room == 0)
        kernel.room = room
        relay.becameWritable()
      case .finish, .breakOff, .done: Issue.record("it ended before all was delivered")
      }
    }
    #expect(kernel.delivered == bytes)
    #expect(relay.pending == 0)
  }
}
