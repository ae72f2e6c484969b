import Lab
import SystemRuntime
import Model
import Testing

@testable import Netfilter
@testable import Monitors

/// A22, A23, A31 and A46 without a kernel: from the bytes of ctnetlink's messages to the readings.
@Suite struct MonitorRecordedTests {
  /// A recorded message, decoded after its numbers were replaced: identifier, zone, and the bytes in both directions.
  private static func flow(
    _ place: Int, id: UInt32? = nil, zone: UInt16? = nil, _ original: UInt64, _ reply: UInt64
  ) throws -> Flow {
    var message = ConntrackFixture.payload(ConntrackFixture.messages[place])
    var malformed: UInt64 = 0
    let recorded = try #require(unsafe FlowDecoder.decode(message.span.bytes, malformed: &malformed))
    // Each number has the head of its attribute before it: length and type, in this machine's order.
    if let id { message.replace([8, 0, 12, 0], recorded.id, with: id) }
    if let zone { message.replace([6, 0, 18, 0], recorded.zone, with: zone) }
    message.replace([12, 0, 2, 0], recorded.counters.originalBytes, with: original)
    message.replace([12, 0, 2, 0], recorded.counters.replyBytes, with: reply)
    let flow = try #require(unsafe FlowDecoder.decode(message.span.bytes, malformed: &malformed))
    #expect(malformed == 0)
    #expect(flow.counters.originalBytes == original && flow.counters.replyBytes == reply)
    return flow
  }

  /// TCP from 127.0.0.1:41598 to 127.0.0.1:8080.
  private static func connection(id: UInt32, _ original: UInt64, _ reply: UInt64) throws -> Flow {
    try flow(0, id: id, original, reply)
  }

  /// UDP from 127.0.0.1:56947 to 127.0.0.1:5353.
  private static func datagrams(id: UInt32, zone: UInt16, _ original: UInt64) throws -> Flow {
    try flow(8, id: id, zone: zone, original, 0)
  }

  /// A client at `one` and its server at `other`, process 7 with socket 501 and process 8 with socket 502.
  private static func pair(_ kind: String, _ one: String, _ other: String) -> FakeHost {
    let host = FakeHost()
    host.proc.add(7, start: 100, arguments: Array("client\0".utf8), sockets: [3: 501])
    host.proc.add(8, start: 100, arguments: Array("server\0".utf8), sockets: [3: 502])
    host.addSocket(501, "\(kind) \(one) \(other)")
    host.addSocket(502, "\(kind) \(other) \(one)")
    host.writeFiles()
    return host
  }

  private static func rows(_ monitor: Monitor, at now: Instant) throws -> Set<String> {
    Set(try monitor.readings(until: now).readings.map(\.summary))
  }

  @Test func `the same ends again: the old flow's last bytes are its own process's`() throws {
    let host = Self.pair("tcp", "127.0.0.1:41598", "127.0.0.1:8080")
    let table = ScriptedTable([
      FlowSnapshot(living: [try Self.connection(id: 1, 1000, 100)]),
      FlowSnapshot(
        living: [try Self.connection(id: 2, 50, 60)], ended: [try Self.connection(id: 1, 1032, 136)]),
    ])
    let monitor = try host.monitor(of: table)
    let start = Instant.now
    #expect(try Self.rows(monitor, at: start) == ["7@100 client 100/1000", "8@100 server 1000/100"])
    host.proc.end(7)
    host.proc.add(9, start: 200, arguments: Array("client\0".utf8), sockets: [3: 503])
    host.proc.hold(8, 4, 504)
    host.addSocket(503, "tcp 127.0.0.1:41598 127.0.0.1:8080")
    host.addSocket(504, "tcp 127.0.0.1:8080 127.0.0.1:41598")
    host.writeFiles()
    #expect(
      try Self.rows(monitor, at: start + .seconds(1)) == [
        "7@100 client 36/32", "9@200 client 60/50", "8@100 server 82/96",
      ])
  }

  @Test func `an entry that expired and one of the same ends after it add up`() throws {
    let host = Self.pair("udp", "127.0.0.1:56947", "127.0.0.1:5353")
    let table = ScriptedTable([
      FlowSnapshot(living: [try Self.datagrams(id: 1, zone: 0, 100)]),
      FlowSnapshot(living: [], ended: [try Self.datagrams(id: 1, zone: 0, 130)]),
      FlowSnapshot(living: [try Self.datagrams(id: 2, zone: 0, 500)]),
    ])
    let monitor = try host.monitor(of: table)
    let start = Instant.now
    for (second, bytes) in [(0, 100), (1, 30), (36, 500)] {
      let expected: Set = ["7@100 client 0/\(bytes)", "8@100 server \(bytes)/0"]
      #expect(try Self.rows(monitor, at: start + .seconds(second)) == expected)
    }
  }

  @Test func `one tuple in two zones is two flows`() throws {
    let host = FakeHost()
    // They even have one identifier.
    let table = ScriptedTable([
      FlowSnapshot(living: [try Self.datagrams(id: 1, zone: 7, 100), try Self.datagrams(id: 1, zone: 8, 10)]),
      FlowSnapshot(living: [try Self.datagrams(id: 1, zone: 8, 14), try Self.datagrams(id: 1, zone: 7, 101)]),
    ])
    host.proc.add(7, start: 100, arguments: Array("client\0".utf8), sockets: [3: 501])
    host.addSocket(501, "udp 127.0.0.1:56947 127.0.0.1:5353")
    host.writeFiles()
    let monitor = try host.monitor(of: table)
    let start = Instant.now
    for (second, bytes) in [(0, 110), (1, 5)] {
      let expected: Set = ["7@100 client 0/\(bytes)", "(unattributed: no_socket) \(bytes)/0"]
      #expect(try Self.rows(monitor, at: start + .seconds(second)) == expected)
    }
  }

  @Test func `flows that a flowtable or the hardware moves are counted, and said once`() throws {
    let flows = try [9, 10].map { try Self.flow($0, 1000, 100) }
    let later = try [9, 10].map { try Self.flow($0, 1001, 102) }
    let host = FakeHost()
    let monitor = try host.monitor(
      of: ScriptedTable([FlowSnapshot(living: flows), FlowSnapshot(living: later)]))
    let start = Instant.now
    let both = try [start, start + .seconds(1)].map { try monitor.readings(until: $0) }
    #expect(both.map(\.health.offloaded) == [2, 2])
    #expect(both.flatMap(\.warnings).count { $0.code == "offloaded" } == 1)
    #expect(both.map { $0.readings.map(\.summary) } == [["(forwarded) 2200/2200"], ["(forwarded) 6/6"]])
  }
}

extension [UInt8] {
  /// Replaces the first `old` that stands behind `head` by `new`, in network order.
  fileprivate mutating func replace<Number: FixedWidthInteger>(
    _ head: [UInt8], _ old: Number, with new: Number
  ) {
    func bytes(_ number: Number) -> [UInt8] {
      stride(from: Number.bitWidth - 8, through: 0, by: -8).map { UInt8(truncatingIfNeeded: number >> $0) }
    }
    replace(head + bytes(old), with: head + bytes(new), maxReplacements: 1)
  }
}
