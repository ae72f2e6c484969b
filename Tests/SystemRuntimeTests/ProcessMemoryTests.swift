import Foundation
import SystemRuntime
import Testing

@Suite struct ProcessMemoryTests {
  @Test func `text that is not used leaves the process`() throws {
    let before = try mappedText()
    ProcessMemory.unmapTextOfStart()
    // Other tests run at the same time, and use some of it again.
    #expect(try mappedText() < before / 2)
  }

  /// How many kB of text this process has mapped (proc(5), smaps).
  private func mappedText() throws -> Int {
    let lines = try String(contentsOfFile: "/proc/self/smaps", encoding: .utf8).split(separator: "\n")
    var isText = false
    var sum = 0
    for line in lines {
      let words = line.split(separator: " ")
      if words[0].contains("-") { isText = words[1] == "r-xp" }
      if isText, words[0] == "Rss:" { sum += try #require(Int(words[1])) }
    }
    return sum
  }
}
