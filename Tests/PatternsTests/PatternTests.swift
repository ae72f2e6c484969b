import Patterns
import Testing

@Suite struct PatternTests {
  @Test(arguments: [
    ("", "", SearchResult.found), ("", "anything", .found), ("a", "", .notFound),
    ("nginx|httpd", "/usr/sbin/httpd -k start", .found), ("nginx|httpd", "lighttpe", .notFound),
    ("^curl\\b", "curl -s http://h/", .found), ("^curl\\b", "curlew", .notFound),
    ("^curl\\b", "/bin/curl", .notFound),
    ("(?i)ssh", "SSHD", .found), ("ssh", "SSHD", .notFound),
    ("a.c", "a\nc", .notFound), ("(?s)a.c", "a\nc", .found), ("a.c", "a\rc", .found),
    ("a$", "a", .found), ("a$", "a\n", .found), ("a$", "a\nb", .notFound), ("(?m)^b$", "a\nb", .found),
    ("(?<=python3 )x", "python3 x", .found), ("(?<!python3 )x", "python3 x", .notFound),
    ("(?P<n>a)(?P=n)", "aa", .found), ("(a)\\1", "ab", .notFound),
    ("^\\w+$", "größe", .found), ("^.$", "é", .found), ("^.$", "e\u{301}", .notFound), ("^\\d$", "٣", .found),
    ("É", "é", .notFound), ("(?i)É", "é", .found), ("\\s", "\u{a0}", .found),
    ("^\\[kworker/\\d+", "[kworker/0:1-events]", .found), ("a{2,3}b", "aab", .found),
    ("[^/]+$", "/a/b", .found),
    ("\0", "a\0b", .found), ("b", "a\0b", .found), ("\u{1f600}", "x\u{1f600}", .found),
    ("(?:a|b)*c", String(repeating: "ab", count: 20_000) + "c", .found),
    ("(?x) a b # comment", "ab", .found), ("\\Aab", "ab", .found), ("x\\z", "x\n", .notFound),
  ])
  func `a search is Python's re.search`(source: String, text: String, expected: SearchResult) throws {
    #expect(try Pattern(source).search(text) == expected)
  }

  @Test(arguments: [
    ("(", 1), ("a)", 1), ("[a", 2), ("*a", 0), ("a**?+*", 2), ("(?P<n>a", 7), ("é(", 2), ("\u{1f600}ü[", 3),
    ("(?z)", 2),
    ("\\", 1), ("a\\C", 3), ("(?<=a*)b", 0), ("\\1", 1),
  ])
  func `a wrong expression is refused with the place`(source: String, offset: Int) {
    let error = #expect(throws: PatternError.self) { try Pattern(source) }
    #expect(error?.offset == offset)
    #expect(error?.message.isEmpty == false)
  }

  @Test func `the error reads as a sentence`() {
    let error = #expect(throws: PatternError.self) { try Pattern("web(") }
    #expect(
      error?.description == "the regular expression is wrong after 4 characters: missing closing parenthesis")
  }

  @Test func `an expression has a greatest length`() throws {
    let longest = String(repeating: "a", count: Pattern.maximumLength)
    #expect(throws: PatternError.self) { try Pattern(longest + "a") }
    let many = Array(repeating: "httpd", count: 1000).joined(separator: "|")
    #expect(try Pattern(many).search("a httpd") == .found)
  }

  @Test(
    arguments: [
      "(a+)+$", "(a|aa)+$", "(a*)*[0-9]$", "(\\w+\\s?)*$", "^(a+)+$", "(.*.*.*.*)*[0-9]", "(a|a|a)+[0-9]",
      "a*a*a*a*[0-9]",
    ], [28, 1000, 100_000])
  func `a catastrophe is given up`(source: String, length: Int) throws {
    let pattern = try Pattern(source)
    let text = String(repeating: "a", count: length) + "!"
    let clock = ContinuousClock()
    var result = SearchResult.found
    let time = clock.measure { result = pattern.search(text) }
    #expect(result != .found)
    if length > 28 { #expect(result == .gaveUp) }
    // A step has a bounded cost: this takes milliseconds, and minutes without the limit.
    #expect(time < .seconds(10))
  }

  @Test(arguments: ["java.*foo.*[0-9]", "a+a+\\d", "(?:ab?)*[cd]", "\\w+@\\w+"], [100_000])
  func `an innocent expression and a hostile text end too`(source: String, length: Int) throws {
    let pattern = try Pattern(source)
    let clock = ContinuousClock()
    for text in ["java foo ", "a", "ab"].map({ String(repeating: $0, count: length / $0.utf8.count) }) {
      var result = SearchResult.found
      let time = clock.measure { result = pattern.search(text) }
      #expect(result != .found)
      #expect(time < .seconds(10))
    }
  }

  @Test(arguments: [
    ("java.*-jar.*foo", SearchResult.found), ("java.*-jar.*bar$", .notFound), ("nginx|httpd", .notFound),
  ])
  func `a plain expression has steps enough for a command line of 100 kB`(
    source: String, expected: SearchResult
  ) throws {
    let path = Array(repeating: "/usr/share/lib/some-library.jr:", count: 3300).joined()
    #expect(try Pattern(source).search("/usr/bin/java -cp \(path) -jar foo.jar") == expected)
  }

  @Test func `one pattern serves many tasks at once`() async throws {
    let pattern = try Pattern("needle$")
    let results = await withTaskGroup(of: Bool.self) { group in
      for index in 0..<200 {
        group.addTask {
          pattern.search("hay \(index) needle") == .found && pattern.search("hay \(index)") == .notFound
        }
      }
      return await group.reduce(into: []) { $0.append($1) }
    }
    #expect(results.count == 200 && results.allSatisfy { $0 })
  }
}
