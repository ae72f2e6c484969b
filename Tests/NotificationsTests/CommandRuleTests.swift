import INI
import Testing

import Notifications

@Suite struct CommandRuleTests {
  private func rule(_ lines: String) throws -> CommandRule? {
    let file = try INIFile(name: "n.cfg", bytes: Array(("[DEFAULT]\n[ssh]\n" + lines).utf8))
    return try CommandRule(try #require(file.sections.first))
  }

  @Test(arguments: [
    (
      #"notification_command=mail -s "SSH exceeding bandwidth limit" root"#,
      CommandRule(rule: "ssh", words: ["mail", "-s", "SSH exceeding bandwidth limit", "root"])
    ),
    (
      "notification_command=/bin/a\non_resolve=yes\ncommand_timeout=2.5",
      CommandRule(rule: "ssh", words: ["/bin/a"], runsOnResolve: true, timeout: .milliseconds(2500))
    ),
    (
      "Notification_Command: a\nON_RESOLVE: off\ncommand_timeout: 86400",
      CommandRule(rule: "ssh", words: ["a"], timeout: .seconds(86_400))
    ),
    (
      #"notification_command=sh -c 'echo $BWMON_RULE | logger' > "" %s"#,
      CommandRule(rule: "ssh", words: ["sh", "-c", "echo $BWMON_RULE | logger", ">", "", "%s"])
    ),
  ])
  func `a section is a rule`(lines: String, expected: CommandRule) throws {
    #expect(try rule(lines) == expected)
  }

  @Test(arguments: [
    "", "on_resolve=yes", "command_timeout=3", "notification_command=", "notification_command=  \t",
  ])
  func `no command is no rule`(lines: String) throws {
    #expect(try rule(lines) == nil)
  }

  @Test func `a section may do without the default's command`() throws {
    let text = "[DEFAULT]\nnotification_command=a b\non_resolve=1\n[x]\n[y]\nnotification_command=\n"
    let file = try INIFile(name: "n.cfg", bytes: Array(text.utf8))
    let rules = try file.sections.map { try CommandRule($0) }
    #expect(rules == [CommandRule(rule: "x", words: ["a", "b"], runsOnResolve: true), nil])
  }

  @Test(arguments: [
    ("notification_command=mail 'x", 3), ("notification_command=\"\" x", 3), ("notification_command=a\\", 3),
    ("notification_command=a\non_resolve=maybe", 4), ("on_resolve=", 3),
    ("notification_command=a\ncommand_timeout=0", 4),
    ("command_timeout=-1", 3), ("command_timeout=86401", 3), ("command_timeout=1e3", 3),
    ("command_timeout=soon", 3),
    ("command_timeout=nan", 3), ("command_timeout=", 3),
  ])
  func `a wrong value is an error of its line`(lines: String, line: Int) {
    let error = #expect(throws: INIError.self) { try rule(lines) }
    #expect(error?.line == line)
    #expect(error?.what.contains(":") == true || error?.what.contains("must be") == true)
  }

  @Test func `every key is known`() throws {
    let file = try INIFile(
      name: "n.cfg", bytes: Array("[s]\nnotification_command=a\non_resolve=1\ncommand_timeout=1\n".utf8))
    #expect(throws: Never.self) { try file.sections[0].checkKeys(known: CommandRule.keys) }
    #expect(CommandRule.keys.count == file.sections[0].entries.count)
  }

  @Test(arguments: [
    (Duration.seconds(1 << 50), Duration.seconds(86_400)), (.seconds(-1), .zero), (.seconds(5), .seconds(5)),
  ])
  func `a timeout is no longer than a day`(given: Duration, timeout: Duration) {
    #expect(CommandRule(rule: "r", words: ["a"], timeout: given).timeout == timeout)
  }
}
