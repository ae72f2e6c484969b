import INI
import Model
import Testing

@testable import Aggregation

@Suite struct ProbeRuleTests {
  @Test func `all keys are read`() throws {
    let rule = try #require(
      try probeRules(
        """
        [paths]
        probe_filter=^(gw|10\\.)
        loss_threshold=5 %
        loss_clear=1.5%
        rtt_threshold=80ms
        rtt_clear=50
        down=yes
        interval=30
        for=5
        keep_firing_for=2.5
        repeat=1h
        notification_command=logger
        """
      ).first)
    #expect(rule.name == "paths")
    #expect(rule.filterSource == "^(gw|10\\.)")
    #expect(rule.levels[.loss] == ProbeRule.Level(threshold: 5, clear: 1.5))
    #expect(rule.levels[.roundTrip] == ProbeRule.Level(threshold: 80, clear: 50))
    #expect(rule.levels[.down] == ProbeRule.Level(threshold: 0, clear: 0))
    #expect(rule.interval == .seconds(30))
    #expect(
      rule.timing
        == AlertTiming(hold: .seconds(5), keepFiring: .milliseconds(2500), repeatInterval: .seconds(3600)))
  }

  @Test func `what is not set is the last round alone, at once and reported once`() throws {
    let rule = try #require(try probeRules("[r]\nloss_threshold=0\nprobe_filter=").first)
    #expect(rule.filter == nil)
    #expect(rule.levels == [.loss: ProbeRule.Level(threshold: 0, clear: 0)])
    #expect(rule.interval == .zero && rule.timing == AlertTiming())
  }

  @Test(arguments: [
    ("route_change=yes", true, true), ("down=yes", false, false), ("down=yes\nroute_change=no", false, false),
    ("loss_threshold=5\nroute_change=1", true, false),
  ])
  func `a section may ask for changes of routes`(lines: String, tells: Bool, isAlone: Bool) throws {
    let rule = try #require(try probeRules("[r]\n" + lines).first)
    #expect(rule.tellsRoutes == tells && rule.levels.isEmpty == isAlone)
  }

  @Test(arguments: [
    ("in_threshold=5", false, true), ("route_change=yes", true, false),
    ("in_threshold=5\nloss_threshold=5", true, true),
    ("rtt_threshold=5\ninterval=3\nfor=1", true, false), ("down=on", true, false),
    ("notification_threshold=5\ndown=1", true, true),
  ])
  func `a section has limits of probes, of bandwidth, or both`(lines: String, probes: Bool, bandwidth: Bool)
    throws
  {
    let section = try #require(try INIFile(name: "n", bytes: "[r]\n\(lines)".utf8).sections.first)
    #expect(try (ProbeRule(section) != nil) == probes)
    #expect(ThresholdRule.hasLimit(section) == bandwidth)
  }

  @Test(arguments: [
    (
      "[r]\nprobe_filter=gw",
      "n.cfg:1: [r] has no limit for probes: set loss_threshold (%), rtt_threshold (ms), down=yes or route_change=yes"
    ),
    (
      "[r]\ndown=no",
      "n.cfg:1: [r] has no limit for probes: set loss_threshold (%), rtt_threshold (ms), down=yes or route_change=yes"
    ),
    ("[r]\nloss_threshold=many", "n.cfg:2: loss_threshold=\"many\" must be a number from 0 to 100, in %"),
    ("[r]\n\nloss_threshold=101", "n.cfg:3: loss_threshold=\"101\" must be a number from 0 to 100, in %"),
    ("[r]\nloss_threshold=-1 %", "n.cfg:2: loss_threshold=\"-1 %\" must be a number from 0 to 100, in %"),
    ("[r]\nloss_threshold=5 ms", "n.cfg:2: loss_threshold=\"5 ms\" must be a number from 0 to 100, in %"),
    ("[r]\nloss_threshold=nan", "n.cfg:2: loss_threshold=\"nan\" must be a number from 0 to 100, in %"),
    ("[r]\nloss_threshold=", "n.cfg:2: loss_threshold=\"\" must be a number from 0 to 100, in %"),
    ("[r]\nloss_threshold=%", "n.cfg:2: loss_threshold=\"%\" must be a number from 0 to 100, in %"),
    (
      "[r]\nloss_threshold=100",
      "n.cfg:2: loss_threshold=100 is never exceeded: write less, or down=yes for a target that does not answer"
    ),
    (
      "[r]\nrtt_threshold=inf", "n.cfg:2: rtt_threshold=\"inf\" must be a number from 0 to 3600000, in ms"
    ),
    ("[r]\nrtt_threshold=1s", "n.cfg:2: rtt_threshold=\"1s\" must be a number from 0 to 3600000, in ms"),
    (
      "[r]\nrtt_threshold=50\nrtt_clear=51",
      "n.cfg:3: rtt_clear is above rtt_threshold, so the alert would never hold: lower it"
    ),
    (
      "[r]\ndown=yes\nloss_clear=5",
      "n.cfg:3: loss_clear needs a limit that it clears: set loss_threshold, or remove it"
    ),
    ("[r]\ndown=yes\ninterval=0", "n.cfg:3: interval=\"0\" must be from 0.1 to 86400 seconds"),
    (
      "[r]\ndown=yes\nprocess_filter=x",
      "n.cfg:3: process_filter is for limits of bandwidth: write probe_filter, or set in_threshold or out_threshold"
    ),
    ("[r]\ndown=yes\nfor=-1", "n.cfg:3: for=\"-1\" must be from 0 to 86400 seconds"),
    ("[r]\ndown=yes\nrepeat=0", "n.cfg:3: repeat=\"0\" must be from 1 to 2678400 seconds"),
    (
      "[r]\ndown=yes\nprobe_filter=[a",
      "n.cfg:3: probe_filter: the regular expression is wrong after 2 characters: missing terminating ] for character class; correct it"
    ),
  ])
  func `a wrong section is refused with its line`(text: String, expected: String) {
    let error = #expect(throws: INIError.self) { try probeRules(text) }
    #expect(error?.description == expected)
  }

  @Test(arguments: ["down=maybe", "down=2"])
  func `a switch is yes or no`(line: String) {
    let error = #expect(throws: INIError.self) { try probeRules("[r]\n" + line) }
    #expect(error?.description.hasPrefix("n.cfg:2: down=") == true)
  }

  @Test(arguments: [("los_threshold", "loss_threshold"), ("rtt_cleer", "rtt_clear"), ("donw", "down")])
  func `the keys serve to tell slips`(slip: String, meant: String) throws {
    let section = try #require(try INIFile(name: "n", bytes: "[r]\n\(slip)=5".utf8).sections.first)
    let error = #expect(throws: INIError.self) {
      try section.checkKeys(known: ThresholdRule.keys + ProbeRule.ownKeys)
    }
    #expect(error?.description == "n:2: unknown key \"\(slip)\" in [r] (did you mean \(meant)?)")
    #expect(ProbeRule.keys.contains(meant))
  }
}
