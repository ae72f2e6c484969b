import INI
import Testing

@Suite struct INIReadsTests {
  private static let wanted =
    "must be a number of seconds, or one with a unit, for example 10, 0.5, 500ms or 5m"

  private func section(_ value: String) throws -> INISection { try read("[s]\nk=\(value)").sections[0] }

  @Test(arguments: [("0", 0), ("42", 42), ("-7", -7), ("+7", 7), ("007", 7)])
  func `whole numbers`(text: String, number: Int) throws {
    #expect(try section(text).integer("k", in: -10...50) == number)
  }

  @Test(arguments: ["", "x", "1.0", "1e3", "0x10", "51", "-11", "99999999999999999999", "1 2", "１"])
  func `what is no whole number of the range`(text: String) throws {
    let section = try section(text)
    let error = #expect(throws: INIError.self) { try section.integer("k", in: -10...50) }
    #expect(error?.description == "f:2: k=\"\(text)\" must be a whole number from -10 to 50")
  }

  @Test(arguments: [
    ("0", Duration.zero), ("0.5", .milliseconds(500)), (".5", .milliseconds(500)), ("5.", .seconds(5)),
    ("-2.25", .milliseconds(-2250)), ("+1", .seconds(1)),
  ])
  func `numbers with decimals`(text: String, duration: Duration) throws {
    #expect(try section(text).seconds("k", in: .seconds(-10) ... .seconds(50)) == duration)
  }

  @Test(arguments: [
    "", ".", "-", "x", "1e3", "0x10", "inf", "nan", "1,5", "1.2.3", "--1", "1 %", "5 s", "s", "ms", "5min",
    "5S", "1us", "1s1s",
  ])
  func `what is no number`(text: String) throws {
    let section = try section(text)
    let error = #expect(throws: INIError.self) { try section.seconds("k", in: .zero ... .seconds(50)) }
    #expect(error?.description == "f:2: k=\"\(text)\" \(Self.wanted)")
  }

  @Test func `a value of one line is distinguished from one that an indented line goes on with`() throws {
    let section = try read("[s]\nk=curl\n  exclude=wget\nl=curl\n\n").sections[0]
    #expect(try section.singleLine("l")?.value == "curl")
    #expect(try section.singleLine("m") == nil)
    let error = #expect(throws: INIError.self) { try section.singleLine("k") }
    #expect(
      error?.description
        == "f:2: k goes on in the next line, which is indented: write it in one line, or unindent the next")
  }

  @Test(arguments: [
    ("1", true), ("yes", true), ("TRUE", true), ("On", true), ("0", false), ("no", false), ("False", false),
    ("off", false),
  ])
  func `truths are Python's`(text: String, truth: Bool) throws {
    #expect(try section(text).boolean("k") == truth)
  }

  @Test(arguments: ["", "2", "y", "t", "enabled"])
  func `what is no truth`(text: String) throws {
    let section = try section(text)
    let error = #expect(throws: INIError.self) { try section.boolean("k") }
    #expect(error?.description == "f:2: k=\"\(text)\" must be yes or no (or true, false, on, off, 1, 0)")
  }

  @Test(arguments: [
    ("1", Duration.seconds(1)), ("0.1", .milliseconds(100)), ("1.000000001", .nanoseconds(1_000_000_001)),
    ("3600", .seconds(3600)), ("1s", .seconds(1)), ("500ms", .milliseconds(500)), ("5m", .seconds(300)),
    ("1h", .seconds(3600)), ("0.25m", .seconds(15)), ("100.5ms", .microseconds(100_500)),
  ])
  func `times are in seconds, or in their unit`(text: String, duration: Duration) throws {
    #expect(try section(text).seconds("k", in: .milliseconds(100) ... .seconds(3600)) == duration)
  }

  @Test(arguments: [
    ("5 x", "k=\"5 x\" \(wanted)"),
    ("", "k=\"\" \(wanted)"),
    ("99999999999999999999", "k=\"99999999999999999999\" \(wanted)"),
    ("0", "k=\"0\" must be from 0.1 to 3600 seconds"),
    ("-1", "k=\"-1\" must be from 0.1 to 3600 seconds"),
    ("3600.1", "k=\"3600.1\" must be from 0.1 to 3600 seconds"),
  ])
  func `what is no time of the range`(text: String, what: String) throws {
    let section = try section(text)
    let error = #expect(throws: INIError.self) {
      try section.seconds("k", in: .milliseconds(100) ... .seconds(3600))
    }
    #expect(error?.what == what)
  }

  @Test(arguments: [
    ("0", 0.0), ("50", 50), ("50.5", 50.5), ("50k", 50), ("50K", 50), ("50 kB", 50), ("50 KB/s", 50),
    ("50 KiB/s", 50), ("1M", 1024), ("1.5MB", 1536), ("0.5 m", 512), ("2G", 2_097_152),
    ("2 GiB/s", 2_097_152),
  ])
  func `rates are in 1024 bytes per second`(text: String, kibibytes: Double) throws {
    #expect(try section(text).rate("k") == kibibytes)
  }

  @Test(arguments: [
    "", "x", "-1", "k", "50kb", "50kbit", "50Mb/s", "50 %", "1T", "50B", "1e3", "9999999999999",
  ])
  func `what is no rate`(text: String) throws {
    let section = try section(text)
    let error = #expect(throws: INIError.self) { try section.rate("k") }
    #expect(
      error?.what
        == "k=\"\(text)\" must be a rate in kB/s (1024 bytes per second), or one with a unit, for example 50, 50k or 1.5M"
    )
  }

  @Test(arguments: [
    ("", []), ("mail", ["mail"]), (" a  b\tc ", ["a", "b", "c"]),
    (
      "mail -s \"SSH exceeding bandwidth limit\" root",
      ["mail", "-s", "SSH exceeding bandwidth limit", "root"]
    ),
    ("a'b c'd", ["ab cd"]), ("'' \"\"", ["", ""]), (#"'a\b' "c\d""#, [#"a\b"#, #"c\d"#]),
    (#""a\"b\\c""#, [#"a"b\c"#]), (#"a\ b \' \\"#, ["a b", "'", #"\"#]),
    ("'$(x)' `y` $Z *", ["$(x)", "`y`", "$Z", "*"]),
    ("a # b", ["a", "#", "b"]), ("a\n  b", ["a", "b"]), ("'a\n  b'", ["a\nb"]), ("é 'ü ö'", ["é", "ü ö"]),
    ("\"'\" '\"'", ["'", "\""]), ("x=\"a b\"", ["x=a b"]),
  ])
  func `words are divided as shlex divides them`(text: String, words: [String]) throws {
    #expect(try section(text).words("k") == words)
  }

  @Test(arguments: [
    ("a 'b", "k has a ' without its partner: close it, or write \\'"),
    ("a \"b", "k has a \" without its partner: close it, or write \\\""),
    ("a \"b\\", "k has a \" without its partner: close it, or write \\\""),
    ("a \\", "k ends with a backslash: remove it, or write \\\\"),
    ("it's", "k has a ' without its partner: close it, or write \\'"),
  ])
  func `a quote without its partner is an error`(text: String, what: String) throws {
    let section = try section(text)
    let error = #expect(throws: INIError.self) { try section.words("k") }
    #expect(error?.description == "f:2: " + what)
  }

  @Test func `a key that is not set reads as nil`() throws {
    let section = try read("[s]").sections[0]
    #expect(section.text("k") == nil)
    #expect(try section.integer("k", in: 0...1) == nil)
    #expect(try section.boolean("k") == nil)
    #expect(try section.seconds("k", in: .zero ... .seconds(1)) == nil)
    #expect(try section.rate("k") == nil)
    #expect(try section.words("k") == nil)
  }

  @Test func `a required key must be there and not empty`() throws {
    #expect(try section("v").required("K") == "v")
    let empty = try section("")
    let emptyError = #expect(throws: INIError.self) { try empty.required("k") }
    #expect(emptyError?.description == "f:2: k is empty: give it a value")
    let missing = #expect(throws: INIError.self) { try empty.required("type") }
    #expect(missing?.description == "f:1: [s] needs type: add a line type=...")
  }

  @Test(arguments: [
    ("interal", "interval"), ("Intervall", "interval"), ("intreval", "interval"),
    ("in_treshold", "in_threshold"),
    ("out-threshold", "out_threshold"), ("threshold", "in_threshold"), ("fro", "for"),
  ])
  func `a slip of a key is reported`(key: String, meant: String) throws {
    let section = try read("[s]\ninterval=1\n\(key)=1").sections[0]
    let error = #expect(throws: INIError.self) {
      try section.checkKeys(known: ["in_threshold", "out_threshold", "interval", "for"])
    }
    #expect(error?.description == "f:3: unknown key \"\(key)\" in [s] (did you mean \(meant)?)")
  }

  @Test(arguments: ["x", "colour", "for_ever_and_ever"])
  func `an unknown key far from all others lists them`(key: String) throws {
    let section = try read("[s]\n\(key)=1").sections[0]
    let error = #expect(throws: INIError.self) {
      try section.checkKeys(known: ["interval", "for", "interval"])
    }
    #expect(error?.description == "f:2: unknown key \"\(key)\" in [s]; the known keys are interval, for")
  }

  @Test func `known keys pass in any case`() throws {
    try read("[s]\nINTERVAL=1\nFor=2").sections[0].checkKeys(known: ["interval", "for"])
  }
}
