import INI
import Testing

/// Values that are variables: what is written, and what it becomes.
@Suite struct INIVariablesTests {
  static let cases = [
    ("plain", "plain"),
    ("${SET}", "value"),
    ("${SET:default}", "value"),
    ("${EMPTY}", ""),
    ("${EMPTY:default}", ""),
    ("${UNSET}", "${UNSET}"),
    ("${UNSET:default}", "default"),
    ("${UNSET:}", ""),
    ("${UNSET:http://host}", "http"),
    ("${UNSET:a:b:c}", "a"),
    ("${UNSET: a b }", " a b "),
    ("${SET} more", "${SET} more"),
    ("more ${SET}", "more ${SET}"),
    ("$SET", "$SET"),
    ("${}", "${}"),
    ("${:default}", "${:default}"),
    ("${", "${"),
    ("${NESTED}", "${SET}"),
  ]

  @Test(arguments: cases)
  func `a value that is a variable as a whole becomes the variable's`(written: String, value: String) throws {
    let variables = ["SET": "value", "EMPTY": "", "NESTED": "${SET}"]
    let file = try INIFile(name: "f", bytes: Array("[a]\nk=\(written)\n".utf8), dialect: .tstat)
    let section = try #require(file.sections.first).expanding { variables[$0] }
    #expect(
      section.text("K") == value && section.entry("k")?.line == 2 && section.line == 1 && section.file == "f")
  }
}
