import SystemRuntime
import Testing

@testable import Tstat

/// Which directories may still be written: a table of directories, and of places in it.
@Suite struct SettleRuleTests {
  private static let rule = SettleRule(.seconds(100))

  private struct Given: Sendable {
    var parent = "/a"
    var name: String
    var changed: Int64?
    var born: Int64?
    var modified: Int64 = 0
    var isSent = false
  }

  private struct Row: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var given: [Given]
    var live: [Int: SettleRule.Reason]
    var includesProcessed = false
  }

  /// Now is the second 1000.
  private static let rows: [Row] = [
    Row(testDescription: "nothing", given: [], live: [:]),
    Row(
      testDescription: "the newest that was just changed",
      given: [Given(name: "1.out", changed: 990), Given(name: "2.out", changed: 999)],
      live: [1: .newest(changed: .seconds(1))]),
    Row(
      testDescription: "the newest in each parent",
      given: [
        Given(parent: "/a", name: "1.out", changed: 950), Given(parent: "/b", name: "1.out", changed: 999),
        Given(parent: "/b", name: "2.out", changed: 950),
      ], live: [0: .newest(changed: .seconds(50)), 2: .newest(changed: .seconds(50))]),
    Row(
      testDescription: "a nanosecond before it is over",
      given: [Given(name: "1.out", changed: 901)], live: [0: .newest(changed: .seconds(99))]),
    Row(testDescription: "the moment it is over", given: [Given(name: "1.out", changed: 900)], live: [:]),
    Row(
      testDescription: "a log of the future",
      given: [Given(name: "1.out", changed: 5000)], live: [0: .newest(changed: .seconds(-4000))]),
    Row(
      testDescription: "a later one that was sent makes the others earlier ones",
      given: [Given(name: "1.out", changed: 990), Given(name: "2.out", changed: 999, isSent: true)], live: [:]
    ),
    Row(
      testDescription: "one that was sent counts where it is asked for",
      given: [Given(name: "1.out", changed: 990), Given(name: "2.out", changed: 999, isSent: true)],
      live: [1: .newest(changed: .seconds(1))], includesProcessed: true),
    Row(
      testDescription: "a mark without logs is not written",
      given: [Given(name: "1.out", changed: nil, modified: 999, isSent: true)], live: [:],
      includesProcessed: true),
    Row(
      testDescription: "clocks set back: an earlier name that is younger",
      given: [
        Given(name: "2026_10_25_02_10.out", changed: 999, born: 960),
        Given(name: "2026_10_25_02_40.out", changed: 955),
      ],
      live: [0: .clockSetBack(changed: .seconds(1)), 1: .newest(changed: .seconds(45))]),
    Row(
      testDescription: "the same without a time of birth",
      given: [
        Given(name: "2026_10_25_02_10.out", changed: 999, modified: 960),
        Given(name: "2026_10_25_02_40.out", changed: 955),
      ],
      live: [0: .clockSetBack(changed: .seconds(1)), 1: .newest(changed: .seconds(45))]),
    Row(
      testDescription: "clocks set back, and all of it over",
      given: [
        Given(name: "2026_10_25_02_10.out", changed: 890, born: 860),
        Given(name: "2026_10_25_02_40.out", changed: 855),
      ], live: [:]),
    Row(
      testDescription: "after the repeated hour a third name ends it",
      given: [
        Given(name: "2026_10_25_02_10.out", changed: 980, born: 960),
        Given(name: "2026_10_25_02_40.out", changed: 955), Given(name: "2026_10_25_03_00.out", changed: 999),
      ], live: [2: .newest(changed: .seconds(1))]),
    Row(
      testDescription: "a name that is not tstat's makes no other one earlier",
      given: [
        Given(name: "2026_10_24_02_10.out", changed: 960), Given(name: "backup.out", changed: 999, born: 950),
      ],
      live: [0: .newest(changed: .seconds(40)), 1: .newest(changed: .seconds(1))]),
  ]

  @Test(arguments: rows)
  private func `what may still be written`(row: Row) {
    let directories = row.given.map { given in
      LogDirectory(
        parent: given.parent, name: given.name, identity: FileIdentity(device: 1, inode: 1),
        tcp: given.changed.map { LogFile(kind: .tcp, size: 1, modified: FileTime(seconds: $0), inode: 1) },
        udp: given.changed.map {
          LogFile(kind: .udp, size: 1, modified: FileTime(seconds: $0 - 500), inode: 2)
        },
        modified: FileTime(seconds: given.modified), born: given.born.map { FileTime(seconds: $0) },
        processedAt: given.isSent ? FileTime(seconds: 1) : nil)
    }
    let live = Self.rule.live(
      among: directories, at: FileTime(seconds: 1000), includesProcessed: row.includesProcessed)
    #expect(live == row.live)
  }

  @Test(arguments: [
    ("2026_10_25_02_10.out", true), ("2026_10_25_02_10", false), ("2026_10_25_02_1.out", false),
    ("2026_10_25_02_10_00.out", false), ("20_2610_25_02_10.out", false), ("2026_10_25_02_+1.out", false),
    (".out", false), ("", false), ("____.out", false), ("٢٠٢٦_10_25_02_10.out", false),
  ])
  func `tstat's names are minutes`(name: String, isMinute: Bool) {
    #expect(SettleRule.isMinute(name) == isMinute)
  }
}
