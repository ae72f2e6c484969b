import Lab
import Model
import SystemRuntime
import Testing

@testable import Probes

@Suite struct OutageMemoryTests {
  private let start = Instant.now
  private let saved = LastingMoment(boot: "a-1", sinceBoot: 5_000_000_000, wall: 1_000_000_000_000)

  private var memory: OutageMemory {
    var memory = OutageMemory(subject: "h:53 [::1]:53")
    memory.downSince = start - .seconds(90)
    memory.lines = ["1970-01-01 00:00:01 connectivity changed to False (uptime: 0:00:01)", ""]
    memory.leftOut = 3
    memory.lastMail = start - .milliseconds(1500)
    memory.gap = .seconds(360)
    return memory
  }

  /// The same clock for both, or another after a restart of the host.
  @Test(arguments: [
    (LastingMoment(boot: "a-1", sinceBoot: 12_000_000_000, wall: 0), Duration.seconds(7)),
    (LastingMoment(boot: "b-2", sinceBoot: 1, wall: 1_060_000_000_000), .seconds(60)),
    // The wall clock went back.
    (LastingMoment(boot: "b-2", sinceBoot: 1, wall: 5), .zero),
  ])
  func `a start goes on after the time that has passed`(then: LastingMoment, passed: Duration) throws {
    let later = start + .seconds(10_000)
    let read = try #require(OutageMemory(file: memory.file(at: start, saved), at: later, then))
    var expected = memory
    expected.downSince = later - passed - .seconds(90)
    expected.lastMail = later - passed - .milliseconds(1500)
    #expect(read == expected)
  }

  @Test func `nothing to know is no file`() {
    #expect(OutageMemory(subject: "h:53").isEmpty)
    #expect(OutageMemory(subject: "h:53").file(at: start, saved).isEmpty)
  }

  @Test func `a file that is not whole is damaged`() {
    let file = memory.file(at: start, saved)
    for length in 0..<file.count {
      #expect(OutageMemory(file: Array(file.prefix(length)), at: start, saved) == nil)
    }
    for text in [
      "netconnmon 2\nsaved 1 1 a\nend\n", "netconnmon 1\nend\n", "netconnmon 1\nsaved 1 a\nend\n", "\n\n\n",
    ] {
      #expect(OutageMemory(file: Array(text.utf8), at: start, saved) == nil, "\(text)")
    }
    #expect(OutageMemory(file: Array("netconnmon 1\nsaved 1 1\nend\n".utf8), at: start, saved) != nil)
  }

  @Test func `no damage ends the program`() {
    var random = SplitMix64(seed: 31)
    let file = memory.file(at: start, saved)
    for _ in 0..<2000 {
      var damaged = file
      for _ in 0...Int.random(in: 0..<4, using: &random) {
        let byte = [UInt8]([0, 10, 32, 45, 57, 255]).randomElement(using: &random) ?? 0
        damaged[Int.random(in: damaged.indices, using: &random)] = byte
      }
      guard let read = OutageMemory(file: damaged, at: start, saved) else { continue }
      #expect(read.lines.count <= MailBackOff.lineLimit)
      #expect(read.downSince.map { $0 <= start } ?? true && read.lastMail.map { $0 <= start } ?? true)
    }
  }

  @Test func `as many lines as wait are one mail, and one file`() {
    var backOff = MailBackOff(minimum: .zero, maximum: .zero, step: .zero)
    let longest = Duration.seconds(10_000 * 86_400) - .microseconds(1)
    for _ in 0...MailBackOff.lineLimit {
      backOff.note(
        Outage(subject: "s", state: .ended(downtime: longest, isIgnored: false), time: Timestamp(seconds: 1)))
    }
    let memory = backOff.memory(of: "s", downSince: nil)
    #expect(memory.lines.count == MailBackOff.lineLimit && memory.leftOut == 1)
    let file = memory.file(at: start, saved)
    #expect(OutageMemory(file: file, at: start, saved) == memory && file.count < 128 << 10)
    #expect((backOff.take(at: start)?.utf8.count ?? 0) < 64 << 10)
  }
}
