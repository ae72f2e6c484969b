import INI
import Lab
import Testing

/// Reads a text as the file `f`.
func read(_ text: String, _ dialect: INIDialect = .bwmon) throws(INIError) -> INIFile {
  try INIFile(name: "f", bytes: text.utf8, dialect: dialect)
}

/// What a file says in one line: `[section] key=value@line`.
func shown(_ file: INIFile) -> String {
  file.sections
    .map { section in
      ("[\(section.name)]@\(section.line)"
        + section.entries.map { " \($0.key)=\($0.value)@\($0.line)" }.joined())
    }
    .joined(separator: " ")
    .replacing("\n", with: "|")
}

@Suite struct INIFileTests {
  @Test(arguments: [
    ("", ""),
    ("\n\n# only\n ; comments\n", ""),
    ("[a]", "[a]@1"),
    ("[a]\nk=v\n", "[a]@1 k=v@2"),
    ("[a]\nk: v", "[a]@1 k=v@2"),
    ("[a]\nk = v = w: x", "[a]@1 k=v = w: x@2"),
    ("[a]\nk:v=w", "[a]@1 k=v=w@2"),
    ("[a]\nk=\nl =  \nm:", "[a]@1 k=@2 l=@3 m=@4"),
    ("[a]\nKey Word=v", "[a]@1 Key Word=v@2"),
    ("\u{feff}[a]\r\nk=v\r\n\r\nl=w\r\n", "[a]@1 k=v@2 l=w@4"),
    ("[a]\rk=v\rl=w", "[a]@1 k=v@2 l=w@3"),
    ("[a]\nk=%d %(x)s %%", "[a]@1 k=%d %(x)s %%@2"),
    ("[a]\nk=v # x;y", "[a]@1 k=v # x;y@2"),
    ("[a]\n#k=v\n  ;l=w\nm=x", "[a]@1 m=x@4"),
    ("[a]\nk=v\n  w\n\tx", "[a]@1 k=v|w|x@2"),
    ("[a]\nk=\n  v\n  w", "[a]@1 k=|v|w@2"),
    ("[a]\nk=v\n  l=w", "[a]@1 k=v|l=w@2"),
    ("[a]\n  k=v\n  l=w", "[a]@1 k=v@2 l=w@3"),
    ("[a]\n  k=v\n    w\n l=w", "[a]@1 k=v|w@2 l=w@4"),
    ("[a]\nk=v\n  [b]", "[a]@1 k=v|[b]@2"),
    ("[a]\nk=v\n[b]\nk=w", "[a]@1 k=v@2 [b]@3 k=w@4"),
    ("[a]\n[A]\nk=v", "[a]@1 [A]@2 k=v@3"),
    ("[ a b ]  # why", "[a b]@1"),
    ("[a]b] ; why", "[a]b]@1"),
    ("[ä=ö]\nü=\u{301}x", "[ä=ö]@1 ü=\u{301}x@2"),
    ("[DEFAULT]\nk=v\nl=w\n[a]\nL=x\n[b]", "[a]@4 L=x@5 k=v@2 [b]@6 k=v@2 l=w@3"),
    ("[a]\nk=v\u{a0}\n\u{a0}\nl=w", "[a]@1 k=v@2 l=w@4"),
  ])
  func `a file is read as Python reads it`(text: String, expected: String) throws {
    #expect(shown(try read(text)) == expected)
    #expect(shown(try read(text, .tstat)) == expected)
  }

  @Test(arguments: [
    ("k=v", "f:1: there is no section yet: write a [section] line above this one"),
    ("\n[a\nk=v", "f:2: the section's ] is missing: write [name]"),
    ("[]", "f:1: the section has no name: write [name]"),
    ("[ ]", "f:1: the section has no name: write [name]"),
    ("[a] k=v", "f:1: there is text after [a]: move it to a line of its own"),
    ("[a]\nk", "f:2: the line is not key=value: add the = or start the line with #"),
    ("[a]\n  k", "f:2: the line is not key=value: add the = or start the line with #"),
    ("[a]\n=v", "f:2: the key before the = is missing: write key=value"),
    ("[a]\n : v", "f:2: the key before the = is missing: write key=value"),
    ("[a]\nk=v\0", "f:2: the line has a NUL byte: is this a text file? Remove the byte"),
  ])
  func `an error names file and line and says what to do`(text: String, expected: String) {
    #expect(throws: INIError.self) { try read(text) }
    do { _ = try read(text) } catch { #expect(error.description == expected) }
  }

  @Test(
    arguments: [
      [0xff], [0xc3], [0xe2, 0x82], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf5, 0x80, 0x80, 0x80], [0x80],
    ] as [[UInt8]])
  func `text that is not UTF-8 is refused with its line`(bytes: [UInt8]) {
    let error = #expect(throws: INIError.self) {
      try INIFile(name: "f", bytes: Array("[a]\nk=v\nl=".utf8) + bytes + Array("\nm=x".utf8))
    }
    #expect(error?.description == "f:3: the line is not UTF-8: convert the file with iconv(1)")
  }

  @Test func `a long value in an error is cut`() {
    let error = #expect(throws: INIError.self) { try read("[a]\n" + String(repeating: "x", count: 5000)) }
    #expect(error?.what.count ?? 0 < 150)
  }

  @Test func `a file and a line have a greatest length`() throws {
    let line = "k=" + String(repeating: "v", count: TextLines.maximumLineLength - 2)
    #expect(try read("[a]\n" + line).sections[0].text("k")?.utf8.count == TextLines.maximumLineLength - 2)
    let long = #expect(throws: INIError.self) { try read("[a]\n" + line + "v") }
    #expect(long?.description == "f:2: the line is longer than 65536 bytes: shorten it")
    let full = "[a]\n" + String(repeating: "#\n", count: TextLines.maximumSize / 2 - 2)
    #expect(try read(full).sections.count == 1)
    let large = #expect(throws: INIError.self) { try read(full + "#") }
    #expect(large?.description == "f:1: the file is longer than 1048576 bytes: shorten or split it")
  }

  @Test func `keys are found in any case, names are kept as they are written`() throws {
    let file = try read("[SSH]\nProcess_Filter=ssh\n")
    let section = try #require(file.sections.first)
    #expect(section.name == "SSH")
    #expect(section.text("process_filter") == "ssh")
    #expect(section.text("PROCESS_FILTER") == "ssh")
    #expect(section.entry("process_filter")?.key == "Process_Filter")
    #expect(section.text("filter") == nil)
  }

  @Test func `random bytes never trap, and give an error with a line of the file`() {
    var random = SplitMix64(seed: 42)
    let pieces = [
      "[", "]", "a", "=", ":", "\n", "\r", " ", "\t", "#", ";", "\0", "\u{e9}", "\u{2028}", "DEFAULT",
    ]
    for _ in 0..<5000 {
      var bytes = (0..<Int.random(in: 0...30, using: &random))
        .flatMap { _ in Array(pieces.randomElement(using: &random).map(\.utf8) ?? "".utf8) }
      if Bool.random(using: &random) { bytes.append(UInt8.random(in: .min ... .max, using: &random)) }
      do {
        let file = try INIFile(name: "f", bytes: bytes)
        #expect(Set(file.sections.map(\.name)).count == file.sections.count)
      } catch {
        #expect((1...bytes.count + 1).contains(error.line) && !error.what.isEmpty)
      }
    }
  }
}
