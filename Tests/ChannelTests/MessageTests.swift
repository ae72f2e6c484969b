import Lab
import Model
import Testing

@testable import Channel

/// Messages into bytes and back.
@Suite struct MessageTests {
  /// One of each kind, with every field away from what it is in an empty one.
  static let messages: [Message] = [
    .hello(version: "2.0.0"), .settings(settings), .filters([filter, filter]), .filters([]),
    .processes([ProcessIdentity(pid: 1, startTime: 2), ProcessIdentity(pid: .max, startTime: .max)]),
    .measure(number: .max, isLast: true), .measure(number: 1, isLast: false, paths: paths), .ready,
    .refused(SensorFault(text: "no", status: 77, isLasting: true)), .remark("warning: ü\u{0}\n"),
    .measurement(number: 7, measurement(readings: 3)),
    .measurement(number: 8, Measurement(interval: nil, readings: [])),
    .failure(number: 9, SensorFault(text: "later", status: -1, isLasting: false)),
  ]

  /// As many as may be asked for.
  static let paths = (1...64).map { IPAddress(high: $0, low: .max - $0) }

  static let filter = FilterSettings(
    include: ["a", ""], exclude: ["b+"], ignoresLocal: true, excludesTunnels: true)

  static var settings: SensorSettings {
    var settings = SensorSettings(flags: ["--source", "netlink"], filters: [filter])
    settings.wantsAncestors = true
    settings.countsLookback = false
    settings.hidden = 4711
    return settings
  }

  static func process(_ pid: Int32) -> ProcessDescription {
    ProcessDescription(
      identity: ProcessIdentity(pid: pid, startTime: UInt64(pid) * 3), uid: 1000, executable: "/bin/\(pid)",
      arguments: ["\(pid)", "-x"], commandLine: "\(pid) -x", ancestors: ["sh", "init"],
      place: ProcessPlace(cgroup: "/a", unit: "a.service", container: "0123", networkNamespace: 4_026_531_840)
    )
  }

  static func measurement(readings count: Int32, first: Int32 = 1) -> Measurement {
    let usage = Usage(received: .max, sent: 1)
    var readings: [Reading] = (0..<count).map {
      Reading(
        owner: .process(process(first + $0).identity), process: process(first + $0), usage: usage,
        certainty: Certainty(match: .relaxed, isShared: true, isPayload: true))
    }
    for index in readings.indices {
      readings[index].interfaces = (0..<Int32(index)).map {
        InterfaceUsage(interface: .max - $0, usage: usage)
      }
    }
    readings +=
      ([.pipe("p"), .forwarded, .kernel, .untracked] + Owner.Reason.allCases.map(Owner.unattributed))
      .map { Reading(owner: $0, usage: usage) }
    var health = Health()
    for (index, gauge) in Health.gauges.enumerated() { health[keyPath: gauge] = index + 1 }
    for (index, counter) in Health.counters.enumerated() { health[keyPath: counter] = UInt64(index) + 100 }
    var measurement = Measurement(
      interval: .milliseconds(1001), readings: readings, exited: [ProcessIdentity(pid: 1, startTime: 3)],
      balance: Balance(
        attributed: usage, forwarded: usage, kernel: usage, unattributed: [.exited: usage, .denied: usage],
        hidden: usage, loopback: usage, payload: usage, untracked: usage, interfaces: usage),
      health: health,
      warnings: [
        Warning(code: "c", text: "t", isNote: true), Warning(code: "d", text: "u", isResolved: true),
      ])
    measurement.renamed = [process(9)]
    measurement.paths = [PathUsage(address: paths[0], interface: 3, usage: usage)]
    return measurement
  }

  @Test(arguments: messages) func `what is read is what was written`(message: Message) throws {
    var (encoder, decoder) = (MessageEncoder(), MessageDecoder())
    let bytes = try encoder.bytes(of: message)
    decoder.add { $0 += bytes }
    #expect(try decoder.next() == message)
    #expect(try decoder.next() == nil)
  }

  @Test func `each field of a health is sent`() {
    // A new one must be in one of the lists.
    #expect(Mirror(reflecting: Health()).children.count == Health.gauges.count + Health.counters.count)
  }

  @Test func `messages may come byte by byte, or all at once`() throws {
    var encoder = MessageEncoder()
    var bytes: [UInt8] = []
    for message in Self.messages { bytes += try encoder.bytes(of: message) }
    for step in [1, 7, bytes.count] {
      var decoder = MessageDecoder()
      var messages: [Message] = []
      for start in stride(from: 0, to: bytes.count, by: step) {
        decoder.add { $0 += bytes[start..<min(start + step, bytes.count)] }
        while let message = try decoder.next() { messages.append(message) }
      }
      #expect(messages == Self.messages)
    }
  }

  @Test func `a large measurement comes in pieces`() throws {
    var (encoder, decoder) = (MessageEncoder(), MessageDecoder())
    var measurement = Self.measurement(readings: 0)
    let long = String(repeating: "ä", count: 65_536)
    for pid in Int32(1)...20 {
      var process = Self.process(pid)
      process.commandLine = long
      measurement.readings.append(Reading(owner: .process(process.identity), process: process, usage: .zero))
      measurement.renamed.append(process)
    }
    let bytes = try encoder.bytes(of: .measurement(number: 1, measurement))
    #expect(bytes.count > 3 << 20 && bytes[0..<4].elementsEqual([bytes[0], bytes[1], bytes[2], 0]))
    decoder.add { $0 += bytes }
    #expect(try decoder.next() == .measurement(number: 1, measurement))
  }

  @Test func `a process is described once, and once more when it is another or had ended`() throws {
    var (encoder, decoder) = (MessageEncoder(), MessageDecoder())
    func send(_ measurement: Measurement) throws -> Int {
      let bytes = try encoder.bytes(of: .measurement(number: 1, measurement))
      decoder.add { $0 += bytes }
      #expect(try decoder.next() == .measurement(number: 1, measurement))
      return bytes.count
    }
    var measurement = Self.measurement(readings: 3)
    measurement.exited = []
    let first = try send(measurement)
    let second = try send(measurement)
    #expect(second < first)
    measurement.readings[0].process?.commandLine = "5 -x"
    let third = try send(measurement)
    #expect(third > second && third < first)
    measurement.exited = [ProcessIdentity(pid: 2, startTime: 6)]
    #expect(try send(measurement) > second)
    #expect(try send(measurement) > second)
  }

  @Test(arguments: messages) func `what is cut is not understood, and waits for its rest`(message: Message)
    throws
  {
    var encoder = MessageEncoder()
    let bytes = try encoder.bytes(of: message)
    for count in 0..<bytes.count {
      var decoder = MessageDecoder()
      decoder.add { $0 += bytes[..<count] }
      #expect(try decoder.next() == nil)
    }
  }

  @Test func `what says that it ends earlier than its fields is refused`() throws {
    for message in Self.messages {
      var encoder = MessageEncoder()
      var bytes = try encoder.bytes(of: message)
      guard bytes.count < 256, bytes[0] > 1 else { continue }
      bytes[0] -= 1
      bytes.removeLast()
      var decoder = MessageDecoder()
      decoder.add { $0 += bytes }
      #expect(throws: ChannelError.self) { try decoder.next() }
    }
  }

  struct Wrong: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var bytes: [UInt8]
    var error: ChannelError
  }

  @Test(arguments: [
    Wrong(testDescription: "too long", bytes: [1, 0, 0, 1, 1], error: .tooLong(16_777_217)),
    Wrong(testDescription: "longest", bytes: [255, 255, 255, 255, 1], error: .tooLong(4_294_967_295)),
    Wrong(testDescription: "without a kind", bytes: [0, 0, 0, 0, 1], error: .malformed),
    Wrong(testDescription: "of no known kind", bytes: [1, 0, 0, 0, 99], error: .unknownKind(99)),
    Wrong(
      testDescription: "longer than its fields", bytes: [6, 0, 0, 0, 1, 0, 0, 0, 0, 0], error: .malformed),
    Wrong(
      testDescription: "a text beyond its end", bytes: [6, 0, 0, 0, 1, 9, 0, 0, 0, 65], error: .malformed),
    Wrong(
      testDescription: "a list beyond its end", bytes: [5, 0, 0, 0, 3, 255, 255, 255, 255], error: .malformed),
    Wrong(
      testDescription: "more paths than may be asked for",
      bytes: [11, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 65], error: .malformed),
    Wrong(
      testDescription: "paths beyond its end", bytes: [11, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 64],
      error: .malformed),
    Wrong(testDescription: "a flag that is neither", bytes: [2, 0, 0, 0, 6, 2], error: .malformed),
    Wrong(
      testDescription: "a process that was never described",
      bytes: [15, 0, 0, 0, 9, 3, 1, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0], error: .malformed),
  ]) func `a wrong message is refused`(wrong: Wrong) {
    var decoder = MessageDecoder()
    decoder.add { $0 += wrong.bytes }
    #expect(throws: wrong.error) { try decoder.next() }
  }

  @Test func `no mutation of a byte is more than refused`() throws {
    var generator = SplitMix64(seed: 42)
    var encoder = MessageEncoder()
    var bytes: [UInt8] = []
    for message in Self.messages { bytes += try encoder.bytes(of: message) }
    var refused = 0
    for _ in 0..<300 {
      var changed = bytes
      for _ in 0..<Int.random(in: 1...4, using: &generator) {
        changed[Int.random(in: changed.indices, using: &generator)] = .random(
          in: .min ... .max, using: &generator)
      }
      var decoder = MessageDecoder()
      decoder.add { $0 += changed }
      do { while try decoder.next() != nil {} } catch { refused += 1 }
    }
    #expect(refused > 20 && refused < 300)
  }
}
