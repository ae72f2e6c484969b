import INI
import Testing

import Notifications

@Suite struct CommandWarningsTests {
  private func warnings(_ command: String, _ presence: CommandRule.Presence) throws -> [String] {
    let file = try INIFile(name: "n.cfg", bytes: Array("[ssh]\nnotification_command=\(command)\n".utf8))
    let section = try #require(file.sections.first)
    let rule = try #require(try CommandRule(section))
    return rule.warnings(of: section) { _ in presence }.map(\.description)
  }

  @Test(arguments: [
    ("mail -s x root", CommandRule.Presence.executable, nil),
    ("mali root", .missing, "`mali` is not found in PATH: install it or write the full path"),
    ("/opt/x", .missing, "`/opt/x` is not there: correct the path"),
    ("~/bin/x", .missing, "`~/bin/x` is not found, ~ is not replaced: write the full path"),
    ("./x", .notExecutable, "`./x` may not be run: make it executable with chmod +x"),
  ])
  func `a program that cannot be run is said`(command: String, presence: CommandRule.Presence, what: String?)
    throws
  {
    #expect(try warnings(command, presence) == (what.map { ["n.cfg:2: notification_command: " + $0] } ?? []))
  }

  @Test(arguments: [
    ("cat x | mail root", "|"), ("cat > /tmp/x", ">"), ("cat >>/tmp/x", ">>/tmp/x"), ("cat 2>&1", "2>&1"),
    ("cat < x", "<"), ("true && false", "&&"), ("x &", "&"), ("cat ~/x", "~/x"), ("x # why", "#"),
    ("env LANG=C mail -s x root | tee f", "|"), ("sh /opt/alert.sh > /tmp/x", ">"),
    ("bash x.sh $HOME", "$HOME"),
    ("cat a>/tmp/x", "a>/tmp/x"),
    ("cat a|b", "a|b"), ("cat x; date", "x;"), ("sleep 5&", "5&"), ("cat x<y", "x<y"),
    ("echo $BWMON_RULE", "$BWMON_RULE"), ("echo $(date)", "$(date)"), ("echo `date`", "`date`"),
  ])
  func `a word for a shell is said`(command: String, word: String) throws {
    let said = try warnings(command, .executable)
    #expect(said.count == 1)
    #expect(said.first?.hasPrefix("n.cfg:2: notification_command: no shell runs, so `\(word)` is") == true)
  }

  @Test(arguments: [
    "sh -c 'cat > /tmp/x'", "/bin/bash -c 'a | b'", "awk '{ print $1 }'", "grep 'a|b'",
    "logger -t bwmon -p a.b",
    "curl -d a=1&b=2 http://h/", "perl -e '$x=1'", "jq '$x'", "logger '<alert>'", "find . -exec rm {} ';'",
    "x \\;", "mail -s '5 % > 3' root", "x 100$",
  ])
  func `what a program may be given is not said`(command: String) throws {
    #expect(try warnings(command, .executable) == [])
  }

  @Test func `both are said at once`() throws {
    #expect(try warnings("nothing | mail", .missing).count == 2)
  }
}
