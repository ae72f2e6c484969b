import Aggregation
import INI
import Model
import Testing

/// The rules of a notification file's text.
func thresholdRules(_ text: String) throws(INIError) -> [ThresholdRule] {
  var rules: [ThresholdRule] = []
  for section in try INIFile(name: "n.cfg", bytes: text.utf8).sections {
    rules.append(try ThresholdRule(section))
  }
  return rules
}

@Suite struct ThresholdRuleTests {
  @Test func `all keys are read`() throws {
    let rule = try #require(
      try thresholdRules(
        """
        [SSH]
        process_filter=^ssh
        in_threshold=100
        out_threshold=1.5M
        interval=10
        for=5
        keep_firing_for=2.5
        in_clear=80k
        out_clear=0
        repeat=3600
        notification_command=mail -s "x" root
        """
      ).first)
    #expect(rule.name == "SSH")
    #expect(rule.received?.threshold == .bytesPerSecond(102_400))
    #expect(rule.received?.clear == .bytesPerSecond(81_920))
    #expect(rule.sent?.threshold == .bytesPerSecond(1_572_864))
    #expect(rule.sent?.clear == .zero)
    #expect(
      rule.interval == .seconds(10) && rule.hold == .seconds(5) && rule.keepFiring == .milliseconds(2500))
    #expect(rule.repeatInterval == .seconds(3600))
    #expect(rule.warnings.isEmpty)
  }

  @Test func `what is not set has the original's meaning`() throws {
    let rule = try #require(try thresholdRules("[r]\nin_threshold=50\nout_threshold=0").first)
    #expect(rule.received?.clear == rule.received?.threshold)
    #expect(rule.sent == nil)
    #expect(rule.interval == .seconds(1) && rule.hold == .zero && rule.keepFiring == .zero)
    #expect(rule.repeatInterval == nil)
  }

  @Test(arguments: [
    ("notification_threshold=50", 50.0, 50.0), ("notification_threshold=50\nout_threshold=7", 50, 7),
    ("in_threshold=0\nnotification_threshold=50", 0, 50),
  ])
  func `the old manual's key is for both directions, with a warning`(
    lines: String, received: Double, sent: Double
  )
    throws
  {
    let rule = try #require(try thresholdRules("[r]\n" + lines).first)
    #expect((rule.received?.threshold.kibibytesPerSecond ?? 0) == received)
    #expect(rule.sent?.threshold.kibibytesPerSecond == sent)
    #expect(rule.warnings.map(\.code) == ["notification_threshold"])
    #expect(rule.warnings[0].text.hasPrefix("n.cfg:"))
    #expect(rule.warnings[0].text.hasSuffix("write in_threshold and out_threshold instead."))
  }

  @Test(arguments: [
    ("(kernal)", "(kernel)"), ("(unattributed: exitd)", "(unattributed: exited)"),
    ("(unattributed: no socket)", "(unattributed: no_socket)"), ("(Forwarded)", "(forwarded)"),
    ("(untracked )", "(untracked)"), ("(kernel)", nil), ("(untracked)", nil), ("(curl|wget)", nil),
    ("kernal", nil), ("^(kernal)$", nil), ("()", nil),
  ])
  func `a filter that is nearly the name of a row is warned of`(filter: String, meant: String?) throws {
    let rule = try #require(try thresholdRules("[r]\nin_threshold=1\nprocess_filter=\(filter)").first)
    #expect(rule.warnings.map(\.code) == (meant == nil ? [] : ["process_filter"]))
    if let meant {
      #expect(rule.warnings.first?.text.hasPrefix("n.cfg:3: process_filter=\(filter) is searched") == true)
      #expect(rule.warnings.first?.text.contains("write \(meant) if") == true)
    }
  }

  @Test(arguments: ["in_threshold=0\nout_threshold=0", "in_threshold=0", "notification_threshold=0"])
  func `a limit of 0 is none, as in the original, with a warning`(lines: String) throws {
    let rule = try #require(try thresholdRules("[r]\n" + lines).first)
    #expect(rule.received == nil && rule.sent == nil)
    let warning = try #require(rule.warnings.last)
    #expect(warning.code == "no_limit")
    #expect(
      warning.text
        == "n.cfg:1: [r] has no limit, so it never says anything: set in_threshold or out_threshold to "
        + "more than 0, or remove the section.")
  }

  @Test(arguments: [
    (
      "[r]",
      "n.cfg:1: [r] has no limit: set in_threshold or out_threshold to more than 0, in kB/s, or of probes "
        + "loss_threshold, rtt_threshold, down or route_change"
    ),
    (
      "[r]\nin_threshold=50\nprocess_filter=curl\n  interval=5",
      "n.cfg:3: process_filter goes on in the next line, which is indented: write it in one line, or unindent the next"
    ),
    (
      "[r]\nin_threshold=50\nprocess_filter=(forwarded)\n  interval=5",
      "n.cfg:3: process_filter goes on in the next line, which is indented: write it in one line, or unindent the next"
    ),
    (
      "[r]\nin_threshold=fast",
      "n.cfg:2: in_threshold=\"fast\" must be a rate in kB/s (1024 bytes per second), or one with a unit, for example 50, 50k or 1.5M"
    ),
    (
      "[r]\nin_threshold=50\nin_clear=51",
      "n.cfg:3: in_clear is above in_threshold, so the alert would never hold: lower it"
    ),
    (
      "[r]\nin_threshold=50\nout_clear=5",
      "n.cfg:3: out_clear needs a limit that it clears: set out_threshold, or remove it"
    ),
    ("[r]\nin_threshold=50\ninterval=0", "n.cfg:3: interval=\"0\" must be from 0.1 to 86400 seconds"),
    ("[r]\nin_threshold=50\nfor=-1", "n.cfg:3: for=\"-1\" must be from 0 to 86400 seconds"),
    ("[r]\nin_threshold=50\nrepeat=0", "n.cfg:3: repeat=\"0\" must be from 1 to 2678400 seconds"),
    (
      "[r]\nin_threshold=50\n\nprocess_filter=[a",
      "n.cfg:4: process_filter: the regular expression is wrong after 2 characters: missing terminating ] for character class; correct it"
    ),
  ])
  func `a wrong section is refused with its line`(text: String, expected: String) {
    let error = #expect(throws: INIError.self) { try thresholdRules(text) }
    #expect(error?.description == expected)
  }

  @Test func `the keys serve to tell slips`() throws {
    let section = try #require(try INIFile(name: "n", bytes: "[r]\nin_treshold=5".utf8).sections.first)
    let error = #expect(throws: INIError.self) {
      try section.checkKeys(known: ThresholdRule.keys + ["notification_command"])
    }
    #expect(error?.description == "n:2: unknown key \"in_treshold\" in [r] (did you mean in_threshold?)")
  }
}
