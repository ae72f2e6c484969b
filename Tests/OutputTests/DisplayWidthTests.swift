import Model
import Testing

@testable import Output

@Suite struct DisplayWidthTests {
  @Test(arguments: [
    ("", 0), ("abc", 3), ("é", 1), ("e\u{301}", 1), ("日本", 4), ("ｱ", 1), ("Ａ", 2), ("한", 2),
    ("\u{1112}\u{1161}\u{11ab}", 2), ("🙂", 2), ("❤", 1), ("⌚", 2), ("…·", 2), ("\u{20000}", 2),
    ("a\u{300}\u{301}\u{302}b", 2), ("кириллица", 9), ("ไทย", 3), ("\u{3000}", 2), ("〈", 2),
  ])
  func `wide characters take two columns and combining ones none`(text: String, width: Int) {
    #expect(text.displayWidth == width)
  }

  @Test(arguments: [
    ("abcdef", 6, "abcdef"), ("abcdef", 5, "abcd…"), ("abcdef", 1, "…"), ("abcdef", 0, ""),
    ("abcdef", -3, ""),
    ("a", 1, "a"), ("", 0, ""), ("日本語", 6, "日本語"), ("日本語", 5, "日本…"), ("日本語", 4, "日…"),
    ("日本語", 2, "…"), ("日本語", 1, "…"), ("e\u{301}e\u{301}e\u{301}", 2, "e\u{301}…"),
    ("e\u{301}e\u{301}", 2, "e\u{301}e\u{301}"),
  ])
  func `what does not fit is cut with a mark`(text: String, columns: Int, fitted: String) {
    #expect(Array(text.fitted(to: columns).unicodeScalars) == Array(fitted.unicodeScalars))
  }

  @Test func `endless combining characters are left out`() {
    let text = "a" + String(repeating: "\u{301}", count: 10_000) + "b"
    #expect(text.fitted(to: 2).unicodeScalars.count == 6)
  }

  @Test(arguments: 0...12)
  func `no cut is wider than its columns`(columns: Int) {
    for text in [
      "日a本b語c", "\u{301}\u{301}日", "aaaaaaaaaaaaaaaa", "🙂🙂🙂🙂🙂🙂🙂", "한e\u{301}한e\u{301}한e\u{301}한e\u{301}",
    ] {
      #expect(text.fitted(to: columns).displayWidth <= columns)
    }
  }

  @Test(
    arguments: [
      (0, "0 B"), (1, "1 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1536, "1.5 KiB"),
      (1_048_524, "1023.9 KiB"),
      (1_048_525, "1.0 MiB"), (10_485_760, "10.0 MiB"), (1 << 30, "1.0 GiB"), (1 << 40, "1.0 TiB"),
      (1 << 50, "1.0 PiB"), (1 << 60, "1.0 EiB"), (.max, "16.0 EiB"),
    ] as [(UInt64, String)])
  func `bytes are written in the unit that suits`(bytes: UInt64, text: String) {
    #expect(ByteText.size(bytes) == text)
    #expect(text.utf8.count <= ByteText.sizeWidth)
  }

  @Test func `a rate just below the next unit fits its column`() {
    #expect(ByteText.rate(.bytesPerSecond(1023.6)) == "1.0 KiB/s")
    #expect(ByteText.rate(.bytesPerSecond(1023.4)) == "1023 B/s")
    #expect(ByteText.rate(.bytesPerSecond(1_048_524)).utf8.count == ByteText.rateWidth)
  }
}
