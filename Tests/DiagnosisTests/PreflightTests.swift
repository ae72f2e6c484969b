import Diagnosis
import Model
import Testing

@Suite struct PreflightTests {
  @Test(arguments: [
    (94, 100, false), (95, 100, true), (100, 100, true), (0, 10, false), (9, 10, false), (10, 10, true),
    (0, 1, false), (1, 1, true), (18, 19, false), (19, 19, true), (249_036, 262_144, false),
    (249_037, 262_144, true), (5, 0, false), (0, Int.max, false),
  ])
  func `a table is nearly full from 95 percent on, also a small one`(count: Int, limit: Int, isFull: Bool) {
    #expect((Warning.tableNearlyFull(listed: count, counted: count, limit: limit) != nil) == isFull)
    #expect((Warning.tableNearlyFull(listed: count, counted: nil, limit: limit) != nil) == isFull)
    #expect((Warning.tableNearlyFull(listed: count, counted: 0, limit: limit) != nil) == isFull)
    #expect((Warning.tableNearlyFull(listed: 0, counted: count, limit: limit) != nil) == isFull)
  }

  private static let full =
    "the connection table holds 1990 of 2000 entries, so the kernel drops or forgets connections"
  private static let stopped =
    "3 of them live, 1900 have ended and are kept for a program that listens to the table and is stopped, or hangs: "
    + "continue or end it (`ps -eo stat,pid,args` shows it with T)."
  private static let either =
    "3 of them live, the others have ended and wait to be taken away, or are kept for a program that listens to the "
    + "table and is stopped, or hangs: end such a program (`ps -eo stat,pid,args` shows it with T), else raise the "
    + "limit with `sysctl -w net.netfilter.nf_conntrack_max=4000`."
  private static let small = ": raise it with `sysctl -w net.netfilter.nf_conntrack_max=4000`."

  @Test(arguments: [
    (3, 1900, full + ". " + stopped), (3, nil, full + ". " + either), (3, 0, full + small),
    (3, 993, full + small), (1500, nil, full + small), (1500, 490, full + small),
  ])
  func `only entries that are known to be kept are a stopped listener's`(
    listed: Int, kept: Int?, text: String
  ) throws {
    let warning = try #require(
      Warning.tableNearlyFull(listed: listed, counted: 1990, kept: kept, limit: 2000))
    #expect(warning.code == "table_full")
    #expect(warning.text == text)
  }

  @Test func `the sentence of a full table says what to set`() throws {
    let warning = try #require(Warning.tableNearlyFull(listed: 65_536, counted: 65_530, limit: 65_536))
    #expect(warning.code == "table_full")
    #expect(
      warning.text == "the connection table holds 65536 of 65536 entries, so the kernel drops or forgets "
        + "connections: raise it with `sysctl -w net.netfilter.nf_conntrack_max=131072`.")
  }
}
