import INI
import Testing

/// Where the two dialects differ: a text, what bwmon's reads and warns of, what tstat's does.
@Suite struct INIDialectTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let text: String
    /// What is read, or the error.
    let bwmon: String
    var bwmonWarns: [String] = []
    let tstat: String
    var tstatWarns: [String] = []

    var testDescription: String { text.debugDescription }
  }

  static let cases = [
    Case(text: "[a]\nk=50 ; x", bwmon: "[a]@1 k=50@2", tstat: "[a]@1 k=50 ; x@2"),
    Case(text: "[a]\nk=50\t; x ; y", bwmon: "[a]@1 k=50@2", tstat: "[a]@1 k=50\t; x ; y@2"),
    Case(text: "[a]\nk=a;b", bwmon: "[a]@1 k=a;b@2", tstat: "[a]@1 k=a;b@2"),
    Case(text: "[a]\nk=;b", bwmon: "[a]@1 k=;b@2", tstat: "[a]@1 k=;b@2"),
    Case(text: "[a]\nk= ; b", bwmon: "[a]@1 k=@2", tstat: "[a]@1 k=; b@2"),
    Case(text: "[a]\nk=v # x", bwmon: "[a]@1 k=v # x@2", tstat: "[a]@1 k=v # x@2"),
    Case(text: "[a]\nk=v\n w ; x", bwmon: "[a]@1 k=v|w ; x@2", tstat: "[a]@1 k=v|w ; x@2"),
    Case(text: "[a]\nk=\"\"", bwmon: "[a]@1 k=@2", tstat: "[a]@1 k=\"\"@2"),
    Case(text: "[a]\nk=\"\" ; x", bwmon: "[a]@1 k=@2", tstat: "[a]@1 k=\"\" ; x@2"),
    Case(
      text: "rem x=y\n[a]\nREM: y\nk=v", bwmon: "[a]@2 REM=y@3 k=v@4",
      tstat: "f:1: there is no section yet: write a [section] line above this one"),
    Case(text: "[a]\nrem x=y", bwmon: "[a]@1", tstat: "[a]@1 rem x=y@2"),
    Case(text: "[a]\nremote=v", bwmon: "[a]@1 remote=v@2", tstat: "[a]@1 remote=v@2"),
    Case(text: "[a]\nk=v\n rem x", bwmon: "[a]@1 k=v|rem x@2", tstat: "[a]@1 k=v|rem x@2"),
    Case(text: "[a]\nk=v\n\n  w\n\n\nl=x", bwmon: "[a]@1 k=v|w@2 l=x@7", tstat: "[a]@1 k=v||w@2 l=x@7"),
    Case(
      text: "[a]\nk=v\n  # no\n  w", bwmon: "[a]@1 k=v|# no|w@2",
      bwmonWarns: [
        "f:3: an indented line goes on with the value above, a comment too: begin it in the first column"
      ], tstat: "[a]@1 k=v|w@2"),
    Case(
      text: "[a]\nkey=v\n\nKEY:w\nl=x", bwmon: "[a]@1 KEY=w@4 l=x@5",
      bwmonWarns: ["f:4: key \"KEY\" is already in line 2: this line counts, remove one of the two"],
      tstat: "f:4: key \"KEY\" is already in line 2: remove one of the two"),
    Case(
      text: "[a]\nk=v\n[b]\n[a]\nl=w\nk=x", bwmon: "[a]@1 k=x@6 l=w@5 [b]@3",
      bwmonWarns: [
        "f:4: section [a] is already in line 1: both are taken as one, join them or rename one",
        "f:6: key \"k\" is already in line 2: this line counts, remove one of the two",
      ], tstat: "f:4: section [a] is already in line 1: join the two or rename one"),
    Case(
      text: "[DEFAULT]\nk=v\n[DEFAULT]\nl=w\n[a]", bwmon: "[a]@5 k=v@2 l=w@4",
      bwmonWarns: [
        "f:3: section [DEFAULT] is already in line 1: both are taken as one, join them or rename one"
      ],
      tstat: "f:3: section [DEFAULT] is already in line 1: join the two or rename one"),
    Case(
      text: "[a]\nk=%(x)s", bwmon: "[a]@1 k=%(x)s@2",
      bwmonWarns: [
        "f:2: %( in the value of k is taken as it is written, not as the value of another key as the original took it"
      ], tstat: "[a]@1 k=%(x)s@2",
      tstatWarns: [
        "f:2: %( in the value of k is taken as it is written, not as the value of another key as the original took it"
      ]),
    Case(
      text: "[a]\nk=50%%\nl=%d", bwmon: "[a]@1 k=50%%@2 l=%d@3", tstat: "[a]@1 k=50%%@2 l=%d@3",
      tstatWarns: [
        "f:2: %% in the value of k is taken as it is written, not as a single % as the original took it"
      ]),
  ]

  @Test(arguments: cases)
  func `each dialect reads and warns as its predecessor's files need it`(example: Case) {
    #expect(Self.result(example.text, .bwmon) == Result(read: example.bwmon, warnings: example.bwmonWarns))
    #expect(Self.result(example.text, .tstat) == Result(read: example.tstat, warnings: example.tstatWarns))
  }

  struct Result: Equatable {
    var read: String
    var warnings: [String]
  }

  private static func result(_ text: String, _ dialect: INIDialect) -> Result {
    do throws(INIError) {
      let file = try read(text, dialect)
      return Result(read: shown(file), warnings: file.warnings.map(\.description))
    } catch {
      return Result(read: error.description, warnings: [])
    }
  }

  @Test(
    arguments: [
      ("[a]\nk=^nginx$   # the web server", ["f:2"]), ("[a]\nk=x\t#", ["f:2"]),
      ("[a]\nk=# none yet", ["f:2"]),
      ("[a]\nk=a#b", []), ("[a]\nk=a [#] b", []), ("[a]\nl=a # b", []), ("[a]\nk=a ; # b", []),
      ("[DEFAULT]\nk=a # b\n[a]", ["f:2"]),
    ] as [(String, [String])])
  func `a comment behind a regular expression is said`(text: String, places: [String]) throws {
    let section = try #require(try read(text).sections.first)
    let warnings = section.warningsOfExpressions(in: ["k"])
    #expect(warnings.map { "\($0.file):\($0.line)" } == places)
    #expect(warnings.allSatisfy { $0.what.contains("[#]") })
  }
}
