import Model
import Testing

@testable import Notifications

@Suite struct CommandEnvironmentTests {
  private func variables(_ facts: Notification.Fact...) -> [String: String] {
    CommandEnvironment(sampleNotification(facts: facts)).variables
  }

  private func input(_ line: String) -> String { CommandEnvironment(sampleNotification(line: line)).input }

  @Test func `every fact is a variable`() {
    #expect(variables() == [:])
    #expect(variables(.init("A", "1"), .init("B", ""), .init("C", "2")) == ["A": "1", "B": "", "C": "2"])
  }

  @Test func `the last of two facts of one name counts`() {
    #expect(variables(.init("A", "1"), .init("A", "2")) == ["A": "2"])
  }

  @Test func `a hostile value is verbatim`() {
    #expect(variables(.init("A", hostileText)) == ["A": hostileText])
  }

  @Test(arguments: [
    ("a\0b", "a\u{fffd}b"), ("\0", "\u{fffd}"), ("\0\0x", "\u{fffd}\u{fffd}x"), ("", ""), ("=", "="),
  ])
  func `only NUL is replaced`(given: String, value: String) {
    #expect(variables(.init("A", given)) == ["A": value])
    #expect(input(given) == value + "\n")
  }

  @Test(arguments: ["x", "é", "日", "🙂", "\0"])
  func `no variable is longer than the kernel takes, and no input than a pipe`(character: String) throws {
    let endless = String(repeating: character, count: 200_000)
    let shown = try #require(variables(.init("A", endless))["A"])
    #expect("A".utf8.count + shown.utf8.count + 2 < 131_072)
    #expect(shown.utf8.count > CommandEnvironment.valueLimit - 4 && !shown.utf8.contains(0))
    let line = input(endless)
    #expect((CommandEnvironment.inputLimit - 4...CommandEnvironment.inputLimit).contains(line.utf8.count))
    #expect(line.last == "\n" && line.utf8.count { $0 == 0x0a } == 1)
  }

  @Test(arguments: [4095, 4096])
  func `what just fits is whole`(length: Int) {
    let line = String(repeating: "x", count: length)
    #expect(input(line) == line.prefix(4095) + "\n")
  }

  @Test func `all the pids that are listed fit`() {
    let pids = Array(repeating: "4194304", count: 4096).joined(separator: " ")
    #expect(variables(.init("BWMON_PIDS", pids)) == ["BWMON_PIDS": pids])
  }
}
