import Model
import Testing

@Suite struct PrintableTextTests {
  @Test(arguments: [
    ("", ""), ("plain text ~!", "plain text ~!"), ("back\\slash", "back\\slash"), ("a\nb", "a\\nb"),
    ("a\tb", "a\\tb"), ("a\rb", "a\\rb"), ("a\r\nb", "a\\r\\nb"), ("\u{1b}[2J", "\\e[2J"), ("\0", "\\u{0}"),
    ("\u{7}", "\\u{7}"), ("\u{7f}", "\\u{7f}"), ("\u{80}", "\\u{80}"), ("\u{9b}31m", "\\u{9b}31m"),
    ("\u{202e}gpj.exe", "\\u{202e}gpj.exe"), ("\u{2066}x\u{2069}", "\\u{2066}x\\u{2069}"),
    ("\u{2028}\u{2029}", "\\u{2028}\\u{2029}"), ("\u{200b}", "\\u{200b}"), ("\u{feff}", "\\u{feff}"),
    ("\u{ad}", "\\u{ad}"), ("\u{e0001}", "\\u{e0001}"), ("é日本🙂", "é日本🙂"), ("e\u{301}", "e\u{301}"),
    ("\u{fffd}", "\u{fffd}"), ("\u{a0}", "\u{a0}"), ("👨\u{200d}👩", "👨\\u{200d}👩"),
  ])
  func `control characters are written as escapes`(text: String, shown: String) {
    #expect(Array(text.escapingControlCharacters.unicodeScalars) == Array(shown.unicodeScalars))
  }

  @Test func `no byte makes unprintable text`() {
    for first in UInt8.min...UInt8.max {
      for second: UInt8 in [0x0a, 0x1b, 0x80, 0x9b, 0xc2, 0xff] {
        let text = String(decoding: [first, second], as: UTF8.self).escapingControlCharacters
        #expect(text.unicodeScalars.allSatisfy { $0.value >= 0x20 && !(0x7f...0x9f).contains($0.value) })
      }
    }
  }

  @Test(arguments: [
    ("abcdef", 6, "abcdef"), ("abcdefg", 6, "abc..."), ("", 6, ""), ("ééééééé", 7, "ééééééé"),
    ("ééééééé", 6, "ééé..."), ("abcd", 3, "..."),
    ("e\u{301}\u{301}\u{301}\u{301}\u{301}x", 6, "e\u{301}\u{301}..."),
  ])
  func `long text is cut and says so`(text: String, limit: Int, cut: String) {
    #expect(Array(text.shortened(to: limit).unicodeScalars) == Array(cut.unicodeScalars))
  }

  @Test(arguments: [
    ("1", 3, "  1"), ("123", 3, "123"), ("1234", 3, "1234"), ("", 2, "  "), ("é", 2, " é"), ("a", -1, "a"),
  ])
  func `text is aligned as printf does`(text: String, width: Int, aligned: String) {
    #expect(text.rightAligned(in: width) == aligned)
  }
}
