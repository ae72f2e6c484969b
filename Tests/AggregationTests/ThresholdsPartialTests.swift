import Model
import Testing

@testable import Aggregation

/// Reports in which nothing is known of what processes moved: the connection table could not be read.
@Suite struct ThresholdsPartialTests {
  private static let quiet = Usage.zero
  private static let busy = Usage(received: 200 << 10, sent: 0)

  private static func rows(_ processes: Usage, _ pipe: Usage) -> [UsageRow] {
    [
      row("app", processes), row("pipe", pipe, []),
      UsageRow(name: "(forwarded)", subject: .remainder, total: processes, moved: processes),
    ]
  }

  @Test func `what fires goes on, and pipes are watched as before`() throws {
    var watching = try Watching(
      "[r]\nin_threshold=100\ninterval=5\n[f]\nprocess_filter=(forwarded)\nin_threshold=100\ninterval=5")
    for _ in 0..<5 { watching.tick(rows: Self.rows(Self.busy, Self.quiet)) }
    let raised = ["5 firing received app", "5 firing received (forwarded)"]
    #expect(Set(watching.reported) == Set(raised))
    // For a minute, and a pipe becomes busy and quiet.
    for _ in 0..<10 { watching.tick(rows: Self.rows(Self.quiet, Self.busy), isPartial: true) }
    for _ in 0..<50 { watching.tick(rows: Self.rows(Self.quiet, Self.quiet), isPartial: true) }
    #expect(watching.reported.dropFirst(2) == ["8 firing received pipe", "18 below received pipe"])
    // What is known again goes on where it was.
    for _ in 0..<5 { watching.tick(rows: Self.rows(Self.busy, Self.quiet)) }
    #expect(watching.reported.count == 4)
    for _ in 0..<5 { watching.tick(rows: Self.rows(Self.quiet, Self.quiet)) }
    #expect(
      Set(watching.reported.dropFirst(4)) == ["73 below received app", "73 below received (forwarded)"])
  }

  /// An application of processes and a pipe, by the processes that it has while nothing is known of them.
  @Test(
    arguments: [
      ("they live", [1], false), ("they are brief, and none lives", [], true),
    ] as [(String, [Int32], Bool)])
  func `what a pipe moves does not stand for the processes of its application`(
    row: (name: String, pids: [Int32], hasEnded: Bool)
  ) throws {
    var watching = try Watching("[r]\nin_threshold=100\ninterval=5")
    func application(_ moved: Usage) -> UsageRow {
      UsageRow(
        name: "app", subject: .application(pids: row.pids), total: moved, moved: moved, hasEnded: row.hasEnded
      )
    }
    for _ in 0..<5 { watching.tick(rows: [application(Self.busy)]) }
    #expect(watching.reported == ["5 firing received app"])
    for _ in 0..<60 {
      watching.tick(rows: [application(Usage(received: 1000, sent: 1000))], isPartial: true)
    }
    #expect(watching.reported.count == 1)
    for _ in 0..<5 { watching.tick(rows: [application(Self.busy)]) }
    #expect(watching.reported.count == 1)
    for _ in 0..<5 { watching.tick(rows: [application(Usage(received: 1000, sent: 1000))]) }
    #expect(watching.reported.count == 2)
    #expect(watching.reported.last?.hasSuffix("received app") == true)
  }

  @Test func `what begins meanwhile is watched when all is known again`() throws {
    var watching = try Watching("[r]\nin_threshold=100\ninterval=5")
    for _ in 0..<9 { watching.tick(rows: [row("app", Self.busy)], isPartial: true) }
    #expect(watching.reported.isEmpty && watching.thresholds.trackedCount == 0)
    for _ in 0..<5 { watching.tick(rows: [row("app", Self.busy)]) }
    #expect(watching.reported == ["12 firing received app"])
  }
}
