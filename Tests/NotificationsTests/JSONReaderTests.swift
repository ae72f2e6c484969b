import Testing

@testable import Notifications

@Suite struct JSONReaderTests {
  @Test(arguments: [
    ("null", JSONValue.Content.null), (" true ", .boolean(true)), ("false", .boolean(false)),
    ("0", .number("0")), ("-1.5e+3", .number("-1.5e+3")), (#""""#, .string("")),
    (#""a\"\\\/\b\f\n\r\t\u00e9""#, .string("a\"\\/\u{8}\u{c}\n\r\té")),
    (#""\ud83d\ude00""#, .string("\u{1f600}")), (#""é日""#, .string("é日")), ("[]", .array([])),
    ("{}", .object([])),
  ])
  func `values`(text: String, content: JSONValue.Content) throws {
    #expect(try JSONReader.value(Array(text.utf8)).content == content)
  }

  @Test func `a repeated name is kept, and the last counts`() throws {
    let value = try JSONReader.value(Array("{\"a\":1,\n\"a\":2,\"//\":0,\"//\":0}".utf8))
    #expect(value.member("a")?.integer == 2 && value.member("a")?.line == 2)
    guard case .object(let members) = value.content else {
      Issue.record("no object")
      return
    }
    #expect(members.map(\.name) == ["a", "a", "//", "//"])
  }

  @Test(arguments: [
    "", " ", "tru", "True", "nul", "01", "1.", ".5", "+1", "-", "1e", "[1,]", "[1 2]", "{\"a\"}", "{\"a\":}",
    "{\"a\":1,}", "{a:1}", "{'a':1}", "\"a", "\"a\nb\"", "\"\\x\"", "\"\\u12\"", "\"\\u12g4\"", "\"\\u+123\"",
    "\"\\ud83d\"", "\"\\ude00\"", "\"\\ud83d\\u0041\"", "1 2", "// x\n1", "[", "]", "NaN", "\u{feff}1",
  ])
  func `what is no JSON is refused`(text: String) {
    #expect(throws: JSONError.self) { try JSONReader.value(Array(text.utf8)) }
  }

  @Test func `a text that was cut anywhere is said to end too early`() {
    let text = Array("{\"a\\u00e9\": [-1.5e+10, true, null], \"b\": {\"\\ud83d\\ude00\\n\": false}}".utf8)
    #expect(throws: Never.self) { try JSONReader.value(text) }
    for count in text.indices {
      let error = #expect(throws: JSONError.self) { try JSONReader.value(Array(text[..<count])) }
      #expect(error.map { "\($0)" }?.contains("the text ends too early: complete it") == true, "\(count)")
    }
  }

  @Test func `bytes that are no text, too deep and too long are refused`() {
    #expect(throws: JSONError.self) { try JSONReader.value([0x22, 0xff, 0x22]) }
    let deep = [UInt8](repeating: UInt8(ascii: "["), count: 100_000)
    #expect(throws: JSONError.self) { try JSONReader.value(deep) }
    let long = [UInt8](repeating: 0x20, count: JSONReader.mostBytes + 1)
    #expect(throws: JSONError.self) { try JSONReader.value(long) }
  }
}
