import Foundation
import INI
import Lab
import Model
import SystemRuntime
import Testing

@testable import Publishing

/// A publisher with a folder on the disk and another side that the test plays.
@Suite(.timeLimit(.minutes(5))) struct PublisherTests {
  private let folder: ScratchFolder
  private var spool: String { "\(folder.path)/a/spool" }

  init() throws { folder = try ScratchFolder() }

  private func publisher(
    _ side: OtherSide, _ text: String = "window=4", spool: String? = nil
  ) throws -> Publisher {
    let file = try INIFile(name: "p.cfg", bytes: Array("[publish]\n\(text)\n".utf8))
    return try Publisher(
      PublishConfiguration(file.sections[0]), spool: spool ?? self.spool, host: "a.b", makeSink: side.make
    ) { side.warn($0) }
  }

  private func submit(_ publisher: Publisher, _ numbers: Range<Int>, _ event: PublishedEvent = .usage) {
    for number in numbers {
      #expect(publisher.submit(event, time: Timestamp(seconds: 100), Array("text \(number)".utf8)))
    }
  }

  private var waiting: [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: spool)) ?? []).sorted()
  }

  private func eventually(_ what: String, _ side: OtherSide, _ isSo: () -> Bool) async throws {
    try await Lab.eventually(what, state: { "\(side.bodies) \(side.warnings) \(waiting)" }) {
      isSo() ? () : nil
    }
  }

  @Test func `each text arrives as it is, and leaves nothing behind`() async throws {
    let side = OtherSide { _ in .delivered(0) }
    let publisher = try publisher(side)
    submit(publisher, 0..<20)
    try await eventually("all", side) { side.records.count == 20 }
    #expect(side.bodies == (0..<20).map { "text \($0)" } && Set(side.records.map(\.id)).count == 20)
    #expect(side.records.allSatisfy { $0.routingKey == "bwmon.a_b.usage" && $0.time == 100 })
    publisher.finish(within: .seconds(10))
    #expect(waiting.isEmpty && side.warnings.isEmpty && publisher.dropped == 0 && side.sinks == 1)
  }

  @Test func `what has not arrived is sent first by the next run, with the same ids`() async throws {
    let silent = OtherSide { _ in nil }
    let first = try publisher(silent)
    submit(first, 0..<10)
    try await eventually("the window", silent) { silent.records.count == 4 && waiting.count == 10 }
    // As if it were killed: nothing more is reported.
    first.finish(within: .zero)
    #expect(waiting.count == 10)
    let side = OtherSide { _ in .delivered(0) }
    let second = try publisher(side)
    submit(second, 10..<12)
    try await eventually("all", side) { side.records.count == 12 }
    #expect(side.bodies == (0..<12).map { "text \($0)" })
    #expect(side.records.prefix(4).map(\.id) == silent.records.map(\.id))
    second.finish(within: .seconds(10))
    #expect(waiting.isEmpty)
    // Numbers begin again, ids do not.
    let third = try publisher(side)
    submit(third, 12..<13)
    try await eventually("one more", side) { side.records.count == 13 }
    #expect(Set(side.records.map(\.id)).count == 13)
    third.finish(within: .seconds(10))
  }

  @Test func `a sink that fails is made again, and that is said once`() async throws {
    let side = OtherSide { _ in .failed(RecordFailure(.later, "it is away: wait.")) }
    let publisher = try publisher(side)
    submit(publisher, 0..<3)
    try await eventually("attempts", side) { side.sinks >= 3 }
    #expect(side.warnings == ["publish_failed"] && waiting.count == 3)
    side.answer { _ in .delivered(0) }
    try await eventually("an empty folder", side) { waiting.isEmpty }
    #expect(side.bodies.suffix(3) == ["text 0", "text 1", "text 2"])
    publisher.finish(within: .seconds(10))
    #expect(side.warnings == ["publish_failed", "publish_failed over"] && publisher.dropped == 0)
  }

  @Test func `over the bound the oldest are dropped, counted and said once`() async throws {
    let side = OtherSide { _ in nil }
    let publisher = try publisher(side, "window=2\nspool_size=64k")
    submit(publisher, 0..<2)
    try await eventually("the window", side) { side.records.count == 2 }
    submit(publisher, 2..<30)
    try await eventually("the bound", side) { publisher.dropped == 14 }
    #expect(waiting.count == 16 && side.warnings == ["publish_dropped"])
    side.answer { _ in .delivered(0) }
    side.release()
    try await eventually("the rest", side) { waiting.isEmpty }
    #expect(side.bodies == ([0, 1] + Array(16..<30)).map { "text \($0)" })
    publisher.finish(within: .seconds(10))
  }

  @Test func `a record that is refused for what it says stops no others`() async throws {
    let side = OtherSide { record in
      record.body == Array("text 2".utf8)
        ? .failed(RecordFailure(.data, "too odd: leave it.")) : .delivered(0)
    }
    let publisher = try publisher(side)
    submit(publisher, 0..<6)
    try await eventually("an empty folder", side) { waiting.isEmpty && side.records.count > 6 }
    #expect(Set(side.bodies).count == 6 && publisher.dropped == 1)
    publisher.finish(within: .seconds(10))
    #expect(side.warnings.contains("publish_refused") && side.warnings.last == "publish_failed over")
  }

  @Test func `alerts arrive, each once, though no queue takes a report of use`() async throws {
    let unroutable = RecordFailure(.later, "no queue: bind one.")
    let side = OtherSide {
      $0.routingKey?.hasSuffix("usage") == true ? .refused(0, unroutable) : .delivered(0)
    }
    let publisher = try publisher(side, "window=2\nspool_size=128k")
    submit(publisher, 0..<20)
    submit(publisher, 20..<22, .alert)
    try await eventually("alerts", side) { Set(side.bodies).count == 22 && waiting.count == 20 }
    // The place is full, and goes on to be.
    submit(publisher, 22..<50)
    submit(publisher, 50..<52, .alert)
    try await eventually("more alerts", side) { side.bodies.contains("text 51") && waiting.count <= 32 }
    for alert in [20, 21, 50, 51] { #expect(side.bodies.count { $0 == "text \(alert)" } == 1) }
    #expect(side.warnings == ["publish_set_aside", "publish_dropped"] && side.sinks == 1)
    let kept = Set(48 - 30..<50).subtracting([20, 21]).map { "text \($0)" }
    side.answer { _ in .delivered(0) }
    try await eventually("all", side) { waiting.isEmpty }
    #expect(Set(side.bodies).isSuperset(of: kept) && side.warnings.last == "publish_set_aside over")
    publisher.finish(within: .seconds(10))
    #expect(side.warnings.count == 3)
  }

  @Test func `a record that is refused by its number is left out while others are taken`() async throws {
    let odd = RecordFailure(.data, "too odd: leave it.")
    let side = OtherSide { $0.body == Array("text 2".utf8) ? .refused(0, odd) : .delivered(0) }
    let publisher = try publisher(side)
    submit(publisher, 0..<6)
    try await eventually("an empty folder", side) { waiting.isEmpty && publisher.dropped == 1 }
    #expect(side.bodies.count { $0 == "text 2" } == 2 && side.records.count == 7 && side.sinks == 1)
    publisher.finish(within: .seconds(10))
  }

  @Test func `two runs that used one number have two records`() async throws {
    let silent = OtherSide { _ in nil }
    let first = try publisher(silent, "window=1")
    submit(first, 0..<3)
    try await eventually("three", silent) { waiting.count == 3 && silent.records.count == 1 }
    first.finish(within: .zero)
    let paths = waiting.map { "\(spool)/\($0)" }
    try FileManager.default.removeItem(atPath: paths[0])
    let side = OtherSide { _ in .delivered(0) }
    try folder.write("x", to: "a/spool/000000000002.0123456789abcdef.1.alert")
    let second = try publisher(side)
    submit(second, 3..<4)
    try await eventually("all", side) { side.records.count == 4 }
    // Two runs have used the number 2: both are records, and the next is a higher one.
    #expect(
      Set(side.bodies) == ["text 1", "text 2", "text 3", "x"] && Set(side.records.map(\.id)).count == 4)
    #expect(side.records.contains { $0.id == "0123456789abcdef-2" } && side.warnings.isEmpty)
    #expect(side.records.contains { $0.id.hasSuffix("-4") })
    second.finish(within: .seconds(10))
    #expect(waiting.isEmpty)
  }

  @Test func `without a folder a few wait in memory, and that is said`() async throws {
    let holder = OtherSide { _ in nil }
    let first = try publisher(holder)
    try await eventually("the folder", holder) { FileManager.default.fileExists(atPath: spool) }
    let side = OtherSide { _ in nil }
    let second = try publisher(side)
    submit(second, 0..<300)
    try await eventually("the bound", side) { second.dropped == 300 - PublishSpool.mostInMemory }
    #expect(Set(side.warnings) == ["publish_spool_unusable", "publish_not_kept"])
    side.answer { _ in .delivered(0) }
    side.release()
    try await eventually("those in memory", side) { side.records.count == PublishSpool.mostInMemory }
    second.finish(within: .seconds(10))
    first.finish(within: .zero)
    #expect(!side.warnings.contains("publish_lost"))
  }

  @Test func `what is not taken while the thread hangs is counted, takes no room and is said once`()
    async throws
  {
    let side = OtherSide { _ in .delivered(0) }
    let (hangs, goesOn) = (try Waker(), try Waker())
    let file = try INIFile(name: "p.cfg", bytes: Array("[publish]\n".utf8))
    let publisher = try Publisher(
      PublishConfiguration(file.sections[0]), spool: spool, host: "a.b",
      makeSink: { report throws(RecordFailure) in
        hangs.wake()
        goesOn.wait(timeout: .seconds(60))
        return try side.make(report)
      },
      warn: { side.warn($0) })
    hangs.wait(timeout: .seconds(60))
    let large = [UInt8](repeating: 0x20, count: Publisher.mostWaiting)
    #expect(publisher.submit(.usage, time: Timestamp(seconds: 100), large))
    let areTaken = (0..<10_000).map { _ in publisher.submit(.usage, time: Timestamp(seconds: 100), [0x20]) }
    #expect(!areTaken.contains(true) && publisher.dropped == 10_000)
    let waiting = publisher.inbox.take()
    #expect(waiting.count == 1)
    for event in waiting { publisher.inbox.post(event) }
    goesOn.wake()
    try await eventually("the one that was taken, and a warning", side) {
      side.records.count == 1 && !side.warnings.isEmpty
    }
    publisher.finish(within: .seconds(10))
    #expect(publisher.dropped == 10_000 && side.warnings == ["publish_not_taken"])
  }

  @Test func `what is no record is left alone and said, folders and damage too`() async throws {
    try FileManager.default.createDirectory(atPath: "\(spool)/folder", withIntermediateDirectories: true)
    try folder.write("x", to: "a/spool/README")
    try folder.write("x", to: "a/spool/000000000007.0123456789abcdef.1.usage")
    try folder.write("x", to: "a/spool/000000000008.0123456789abcdef.1.usage.new")
    let side = OtherSide { _ in .delivered(0) }
    let publisher = try publisher(side)
    submit(publisher, 0..<1)
    try await eventually("both", side) { side.records.count == 2 }
    #expect(side.records[0].id == "0123456789abcdef-7" && side.records[1].id.hasSuffix("-8"))
    publisher.finish(within: .seconds(10))
    #expect(waiting == ["README", "folder"] && side.warnings == ["publish_spool_foreign"])
  }

  @Test func `another configuration makes another sink, which gets what waits`() async throws {
    let silent = OtherSide { _ in nil }
    let publisher = try publisher(silent)
    submit(publisher, 0..<2)
    try await eventually("both", silent) { silent.records.count == 2 }
    let side = OtherSide { _ in .delivered(0) }
    let file = try INIFile(name: "p.cfg", bytes: Array("[publish]\n".utf8))
    publisher.use(try PublishConfiguration(file.sections[0]), makeSink: side.make)
    try await eventually("both again", side) { side.records.count == 2 }
    #expect(side.records == silent.records)
    publisher.finish(within: .seconds(10))
    #expect(waiting.isEmpty)
  }
}
