import Glibc
import KernelLab
import Lab
import Model
import Testing

@testable import Netfilter

/// The ends of TCP sockets with their bytes: as values, and from the running kernel.
@Suite struct OwnersEndsTests {
  /// A message: struct inet_diag_msg of a connected socket, INET_DIAG_PROTOCOL, INET_DIAG_INFO of `length` bytes.
  private func message(
    length: Int, acknowledged: UInt64 = 1002, received: UInt64 = 301, segments: UInt32 = 1,
    sent: UInt64 = 1000,
    repeated: UInt64 = 0
  ) -> [UInt8] {
    var info = [UInt8](repeating: 0, count: 280)
    func put(_ value: some FixedWidthInteger, _ offset: Int) {
      for index in 0..<value.bitWidth / 8 {
        info[offset + index] = UInt8(truncatingIfNeeded: value >> (8 * index))
      }
    }
    // Offsets of linux/tcp.h, written out: they never change.
    put(acknowledged, 120)
    put(received, 128)
    put(segments, 152)
    put(sent, 200)
    put(repeated, 208)
    let header = Array(SocketsRecorded.answers[1].bytes[..<72])
    let attribute = UInt16(4 + length)
    return header + [5, 0, 10, 0, 6, 0, 0, 0, UInt8(attribute & 255), UInt8(attribute >> 8), 2, 0]
      + info[..<length]
  }

  private func decode(
    _ bytes: [UInt8]
  ) -> (event: SocketDestroyEvents.Event?, malformed: UInt64) {
    var counts = SocketDiagnostics.Counts()
    let event = SocketDiagnostics.decodeEnd(unsafe bytes.span.bytes, counts: &counts)
    return (event, counts.malformed)
  }

  @Test(
    arguments: [
      // bytes_acked, bytes_received, data_segs_in, bytes_sent, bytes_retrans: received, sent
      ([1002, 301, 1, 1000, 0], 300, 1000), ([1002, 301, 1, 1500, 500], 300, 1000),
      ([0, 0, 0, 0, 0], 0, 0), ([2, 1, 0, 0, 0], 0, 0), ([2, 2, 1, 5, 7], 1, 0),
      ([1, .max, 1, .max, 0], .max - 1, .max),
    ] as [([UInt64], UInt64, UInt64)])
  func `payload is what the numbers say without marks and repetitions`(
    numbers: [UInt64], received: UInt64, sent: UInt64
  ) {
    let bytes = message(
      length: 280, acknowledged: numbers[0], received: numbers[1], segments: UInt32(numbers[2]),
      sent: numbers[3], repeated: numbers[4])
    #expect(decode(bytes).event?.payload == Usage(received: received, sent: sent))
  }

  @Test func `the tuple, the user and the cookie are the socket's`() {
    let event = decode(message(length: 280)).event
    #expect(event?.local == SocketsRecorded.endpoint("127.0.0.1", 40000))
    #expect(event?.remote == SocketsRecorded.endpoint("127.0.0.1", 18080))
    #expect(event?.uid == 1000)
    #expect(event?.cookie == 4)
  }

  @Test(
    arguments: [
      // An older kernel's tcp_info ends earlier: without bytes_sent (4.19), data_segs_in (4.6), the counters (4.1).
      (192, Usage(received: 300, sent: 1002)), (136, Usage(received: 300, sent: 1002)),
      (216, Usage(received: 300, sent: 1000)), (208, Usage(received: 300, sent: 1002)), (128, nil), (0, nil),
    ] as [(Int, Usage?)])
  func `a shorter tcp_info is used as far as it goes`(length: Int, payload: Usage?) {
    let (event, malformed) = decode(message(length: length))
    #expect(event?.payload == payload)
    #expect((malformed == 0) == (payload != nil))
  }

  @Test func `listeners and other protocols are passed over`() throws {
    #expect(decode(SocketsRecorded.answers[0].bytes).event == nil)
    var other = message(length: 280)
    other[76] = 132
    #expect(decode(other).event == nil)
  }

  @Test func `prefixes and mutations are survived`() {
    let whole = message(length: 280)
    for length in 0..<whole.count where decode(Array(whole[..<length])).event != nil {
      Issue.record("\(length) bytes are not a message")
    }
    var mutations = SplitMix64(seed: 77)
    var events = 0
    for _ in 0..<20_000 {
      let (event, malformed) = decode(mutations.mutate(whole))
      #expect(malformed <= 2)
      guard let event else { continue }
      #expect(event.remote.port != 0)
      events += 1
    }
    #expect(events > 0)
  }

  @Test(arguments: [(0, 0), (1, 0), (0, 1), (1000, 300), (200_000, 70_000)] as [(Int, Int)])
  func `the kernel tells the bytes that a connection carried`(toServer: Int, toClient: Int) throws {
    var ends = try SocketDestroyEvents()
    let listener = try SocketsOpened(AF_INET, SOCK_STREAM, .tcp)
    listener.listen()
    let ports: (client: UInt16, server: UInt16)
    let cookie: UInt64?
    do {
      let client = try SocketsOpened(AF_INET, SOCK_STREAM, .tcp)
      try client.connect(to: listener.port)
      ports = (client.port, listener.port)
      var lookup = try SocketLookup()
      cookie = try lookup.socket(
        .tcp, local: SocketsRecorded.endpoint("127.0.0.1", ports.client),
        remote: SocketsRecorded.endpoint("127.0.0.1", ports.server))?.cookie
      let server = try listener.accept()
      move(toServer, client.descriptor, server.descriptor)
      move(toClient, server.descriptor, client.descriptor)
      // In order: the client ends first and the server has seen it.
      shutdown(client.descriptor, CInt(SHUT_WR))
      move(1, nil, server.descriptor)
    }
    var received: [UInt16: SocketDestroyEvents.Event] = [:]
    while received.count < 2, ends.losses == 0 {
      _ = try ends.receive(limit: 1_000) { event in
        let both = [event.local.port, event.remote.port]
        if both.contains(ports.client), both.contains(ports.server) { received[event.local.port] = event }
      }
      sched_yield()
    }
    #expect(ends.malformed == 0)
    #expect(received[ports.client]?.payload == Usage(received: UInt64(toClient), sent: UInt64(toServer)))
    #expect(received[ports.server]?.payload == Usage(received: UInt64(toServer), sent: UInt64(toClient)))
    #expect(received[ports.client]?.cookie == cookie)
  }

  /// Sends `count` bytes in pieces that the buffers take, and reads them at the other end; without a source, reads
  /// the end.
  private func move(_ count: Int, _ source: CInt?, _ sink: CInt) {
    var buffer = [UInt8](repeating: 7, count: 16_384)
    var left = count
    while left > 0 {
      let piece = min(left, buffer.count)
      if let source { left -= max(0, unsafe send(source, buffer, piece, 0)) } else { left = 0 }
      var received = 0
      repeat {
        let got = unsafe recv(sink, &buffer, buffer.count, 0)
        if got <= 0 { return }
        received += got
      } while received < piece
    }
  }
}
