import Aggregation
import INI
import Model
import Testing

@Suite struct ApplicationRulesTests {
  @Test(arguments: [
    ("nginx: worker process", "Web"), ("/usr/sbin/httpd -k start", "Web"), ("sshd: root@pts/0", "SSH"),
    ("vim nginx.conf", "Web"), ("firefox", "firefox"), ("", ""),
  ])
  func `the first rule that matches matches`(commandLine: String, application: String) throws {
    let rules = try rules("Web=nginx|httpd", "SSH=^sshd:", "Editor=vim")
    #expect(rules.claim(process(1, commandLine)).application == application)
  }

  @Test func `the order is that of the file`() throws {
    #expect(try rules("b=x", "a=x").claim(process(1, "x")).application == "b")
    #expect(try rules("a=x", "b=x").claim(process(1, "x")).application == "a")
  }

  @Test func `names are kept as they are written, and regular expressions may hold = and :`() throws {
    let rules = try rules("Web Servers= --port=80", "Proxy: x:y", "Größe=%s")
    #expect(rules.rules.map(\.name) == ["Web Servers", "Proxy", "Größe"])
    #expect(rules.claim(process(1, "a --port=80")).application == "Web Servers")
    #expect(rules.claim(process(1, "x:y")).application == "Proxy")
    #expect(rules.claim(process(1, "%s")).application == "Größe")
  }

  @Test(arguments: [
    (
      "[a]\nok=a\nweb=nginx(",
      "f:3: web: the regular expression is wrong after 6 characters: missing closing parenthesis; correct it"
    ),
    (
      "[a]\nweb=unit:  ",
      "f:2: web has no regular expression: write .* if it is meant for everything"
    ),
    (
      "[a]\nweb=container:a(",
      "f:2: web: the regular expression is wrong after 2 characters: missing closing parenthesis; correct it"
    ),
    ("[a]\nweb=", "f:2: web has no regular expression: write .* if it is meant for everything"),
    (
      "[a]\nweb=nginx\n  ssh=sshd",
      "f:2: web goes on in the next line, which is indented: write it in one line, or unindent the next"
    ),
  ])
  func `a wrong file is refused with its line`(text: String, expected: String) {
    let error = #expect(throws: INIError.self) {
      try ApplicationRules(try INIFile(name: "f", bytes: text.utf8), autoGroup: false, inherit: false)
    }
    #expect(error?.description == expected)
  }

  @Test(arguments: [
    ("a", ProcessPlace(unit: "nginx.service"), "Web"), ("nginx", ProcessPlace(), "nginx"),
    ("a", ProcessPlace(unit: "session-4.scope", container: "0123456789ab"), "Box"),
    ("sshd", ProcessPlace(unit: "nginx.service", container: "web"), "Web"),
    ("sshd", ProcessPlace(container: "web"), "SSH"), ("a", ProcessPlace(container: "web"), "Named"),
    ("a", ProcessPlace(cgroup: "/nginx.service"), "a"), ("a", ProcessPlace(unit: ""), "a"),
    ("unit:x", ProcessPlace(), "Literal"), ("Unit:^x", ProcessPlace(), "Upper"),
    ("a", ProcessPlace(unit: "container:y.service"), "Nested"),
  ])
  func `rules look at units and containers as well`(
    commandLine: String, place: ProcessPlace, application: String
  ) throws {
    let rules = try rules(
      "Web=unit:^nginx\\.service$", "Box=container:^0123", "SSH=sshd", "Named=container:   web$",
      "Literal=[u]nit:x", "Upper=Unit:\\^x", "Nested=unit:container:y")
    var process = process(1, commandLine)
    process.place = place
    #expect(rules.claim(process).application == application)
  }

  @Test func `the unit of an ancestor is not known, and a pipe has none`() throws {
    let lines = try rules("All=unit:.*", "Boxes=container:.*", "SSH=sshd", inherit: true)
    #expect(lines.claim(process(1, "x", ancestors: ["sshd: a"])).application == "SSH")
    #expect(lines.claim(pipe: "sshd-pipe").application == "SSH")
    #expect(lines.claim(pipe: "pipe").application == "pipe")
  }

  @Test(arguments: [
    ("sshd", "SSH: group.cfg:4: rule=sshd" + unasked(1)),
    ("vim", "Editor: group.cfg:8: rule=vim" + unasked(2)),
    (
      "cat",
      "cat: no rule matches it, it stands for itself; add a section for it to --app-config" + unasked(3)
    ),
  ])
  func `explain says which rules a command line does not answer`(commandLine: String, expected: String) throws
  {
    let lines = try rules("Web=unit:^nginx", "SSH=sshd", "Box=container:a", "Editor=vim", "Late=unit:b")
    #expect(lines.explain(commandLine: commandLine).description == expected)
    var nginx = process(1, "x")
    nginx.place.unit = "nginx.service"
    #expect(lines.claim(nginx).description == "Web: group.cfg:2: rule=unit:^nginx")
  }

  private static func unasked(_ count: Int) -> String {
    " (rules before it for units and containers, which a command line does not tell: \(count))"
  }

  /// The sample of bwmon 1.1.
  private static let original = """
    [Webserver]
    apache=apache
    http=httpd
    lighty=lighttpd
    [Desktop]
    browser=firefox|chrom(e|ium)
    pidgin=gaim|pidgin
    [Dev]
    ssh=ssh
    [Test]
    demo=wget|curl
    """

  @Test(arguments: [
    ("/usr/sbin/lighttpd -D", "Webserver: f:3: http=httpd"),
    ("apache2 httpd", "Webserver: f:2: apache=apache"),
    ("chromium", "Desktop: f:6: browser=firefox|chrom(e|ium)"),
    ("ssh firefox", "Desktop: f:6: browser=firefox|chrom(e|ium)"),
    ("sshd: a", "Dev: f:9: ssh=ssh"), ("curl x", "Test: f:11: demo=wget|curl"),
  ])
  func `each section of the original's sample is an application`(commandLine: String, claim: String) throws {
    let file = try INIFile(name: "f", bytes: Self.original.utf8)
    let rules = try ApplicationRules(file, autoGroup: false, inherit: false)
    #expect(rules.explain(commandLine: commandLine).description == claim)
    #expect(file.warnings + rules.warnings == [])
  }

  @Test(
    arguments: [
      (
        "[a]\nx=^nginx$   # the web server",
        [
          "f:2: the # belongs to the regular expression of x: write a comment in a line of its own, or [#] if # is searched for"
        ]
      ),
      ("[a]\nx=a#b [#]c", []), ("[a]\nx=a ; the web server", []),
      ("[a]\n[b]\nx=y", ["f:1: [a] has no rule, so nothing belongs to it: add a line shortname=REGEX"]),
    ] as [(String, [String])])
  func `what is most likely not meant is said`(text: String, warnings: [String]) throws {
    let file = try INIFile(name: "f", bytes: text.utf8)
    let rules = try ApplicationRules(file, autoGroup: false, inherit: false)
    #expect((file.warnings + rules.warnings).map(\.description) == warnings)
  }

  @Test func `sections of one name are one application, at the place of the first`() throws {
    let file = try INIFile(name: "f", bytes: "[a]\nx=one\n[b]\ny=two\n[a]\nz=two".utf8)
    let rules = try ApplicationRules(file, autoGroup: false, inherit: false)
    #expect(rules.explain(commandLine: "two").description == "a: f:6: z=two")
  }

  @Test func `a file without rules matches nothing`() throws {
    let empty = try ApplicationRules(INIFile(name: "f", bytes: []), autoGroup: false, inherit: false)
    #expect(empty.claim(process(1, "curl x")).application == "curl x")
  }

  @Test(arguments: [
    (["/bin/sh ./deploy", "sshd: a@pts/0", "nginx"], "SSH"), (["nginx", "sshd: a@pts/0"], "Web"),
    (["bash", "init"], "helper --x"), ([], "helper --x"),
  ])
  func `an unclaimed process inherits its nearest claimed ancestor`(ancestors: [String], application: String)
    throws
  {
    let lines = try rules("Web=nginx", "SSH=^sshd:", inherit: true)
    #expect(lines.claim(process(1, "helper --x", ancestors: ancestors)).application == application)
  }

  @Test func `the own command line goes before ancestors, and those before the program`() throws {
    let lines = try rules("Web=nginx", "SSH=^sshd:", autoGroup: true, inherit: true)
    #expect(lines.claim(process(1, "nginx", ancestors: ["sshd: x"])).application == "Web")
    #expect(lines.claim(process(1, "/bin/x y", ancestors: ["sshd: x"])).application == "SSH")
    #expect(lines.claim(process(1, "/bin/x y", ancestors: ["init"])).application == "x")
    let without = try rules("SSH=^sshd:")
    #expect(without.claim(process(1, "/bin/x y", ancestors: ["sshd: x"])).application == "/bin/x y")
  }

  @Test(arguments: [
    ("/usr/sbin/nginx -g x", "Web: group.cfg:4: rule=nginx|httpd"),
    ("python3 /opt/a/job.py", "job.py: no rule matches it, it is grouped by its program"),
    (
      "[kworker/0:1-events]",
      "[kworker/0:1-events]: no rule matches it, it stands for itself; add a section for it to --app-config"
    ),
  ])
  func `explain names the rule`(commandLine: String, expected: String) throws {
    let lines = try rules("SSH=sshd", "Web=nginx|httpd", autoGroup: true)
    #expect(lines.explain(commandLine: commandLine).description == expected)
  }

  @Test func `explain is safe for a terminal, and names the ancestor`() throws {
    let lines = try rules("SSH=sshd", inherit: true)
    #expect(lines.explain(commandLine: "a\u{1b}[2J").description.hasPrefix("a\\e[2J: no rule matches it"))
    let claim = lines.claim(process(1, "x", ancestors: ["sshd: \n"]))
    #expect(claim.description == "SSH: group.cfg:2: rule=sshd (by its ancestor sshd: \\n)")
  }

  @Test func `a search that takes too long is counted and does not claim`() throws {
    let lines = try rules("Evil=(a+)+$", "Good=!")
    let claim = lines.claim(process(1, String(repeating: "a", count: 5000) + "!"))
    #expect(claim.application == "Good")
    #expect(claim.abandonedSearches == 1)
    #expect(claim.description.hasSuffix("(searches given up: 1; simplify the rules above it)"))
  }

  @Test func `a name is bounded and keeps what tells two programs apart`() {
    let path = String(repeating: "/x.jar:", count: 20_000)
    let rules = ApplicationRules()
    let one = rules.claim(process(1, "java -cp \(path) kafka.Kafka")).application
    let two = rules.claim(process(2, "java -cp \(path) zookeeper.Main")).application
    #expect(one.utf8.count < 5000 && one.hasPrefix("java -cp /x.jar:") && one.hasSuffix("kafka.Kafka"))
    #expect(one != two)
  }
}
