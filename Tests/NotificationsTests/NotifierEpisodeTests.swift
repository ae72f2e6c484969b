import Model
import Testing

@testable import Notifications

/// An end is told to who was told the beginning, over reloads of the rules and with a full queue.
@Suite struct NotifierEpisodeTests {
  private let shop: Workshop

  init() throws { shop = try Workshop() }

  @Test func `new rules are for what comes later`() async throws {
    var notifier = Notifier(rules: [shop.rule(#"echo old >> "$0/log""#)]) { _ in }
    notifier.submit(sampleNotification(since: 1))
    notifier.reload(rules: [
      shop.rule(#"echo no >> "$0/log""#, for: "other"), shop.rule(#"echo new >> "$0/log""#),
    ])
    notifier.submit(sampleNotification(since: 2))
    notifier.reload(rules: [])
    notifier.submit(sampleNotification(since: 3))
    notifier.finish()
    await notifier.service.run(drainTime: .seconds(600))
    #expect(shop.lines("log") == ["old", "new"])
  }

  @Test func `however many reloads come between, an end goes to who got the beginning`() async throws {
    let script = #"echo "$BWMON_RULE $BWMON_STATE $BWMON_REASON" >> "$0/log""#
    var notifier = Notifier(rules: [shop.rule(script, onResolve: true)]) { _ in }
    notifier.submit(sampleNotification())
    for _ in 0..<3 { notifier.reload(rules: []) }
    // A rule of that name that comes back before the end is reported is another one.
    notifier.reload(rules: [shop.rule(#"echo new >> "$0/log""#, onResolve: true)])
    notifier.submit(sampleNotification(.ended(.ruleRemoved)))
    notifier.finish()
    await notifier.service.run(drainTime: .seconds(600))
    #expect(shop.lines("log") == ["web firing ", "web resolved removed"])
  }

  @Test func `a rule that lost its command tells no end of what it did not tell the beginning of`()
    async throws
  {
    var notifier = Notifier(rules: [shop.rule(#"echo >> "$0/log""#, onResolve: true)]) { _ in }
    notifier.reload(rules: [])
    notifier.submit(sampleNotification())
    notifier.submit(sampleNotification(.ended(.over)))
    notifier.finish()
    await notifier.service.run(drainTime: .seconds(600))
    #expect(shop.lines("log").isEmpty && notifier.dropped == 0)
  }

  @Test func `rules of too many episodes are not remembered, and what is lost by it is counted`() {
    var notifier = Notifier(rules: [shop.rule("exit 0", onResolve: true)]) { _ in }
    for since in 0...Notifier.mostBegun { notifier.submit(sampleNotification(since: Int64(since))) }
    notifier.reload(rules: [])
    let before = notifier.dropped
    notifier.submit(sampleNotification(.ended(.ruleRemoved), since: Int64(Notifier.mostBegun)))
    #expect(notifier.dropped == before + 1)
  }

  @Test func `a command sees the beginning and the end of an episode, or neither, however many wait`()
    async throws
  {
    let script = #"echo "$BWMON_SUBJECT $BWMON_STATE" >> "$0/log""#
    var notifier = Notifier(
      rules: [
        shop.rule(script, for: "sent", onResolve: true), shop.rule(script, for: "late", onResolve: true),
      ]) { _ in }
    notifier.submit(sampleNotification(rule: "sent", subject: "first", since: 0))
    // The stream is full, of a rule whose command is gone when it is looked at.
    notifier.reload(rules: [
      CommandRule(rule: "fill", words: ["true"]), shop.rule(script, for: "sent", onResolve: true),
      shop.rule(script, for: "late", onResolve: true),
    ])
    for since in 1..<Notifier.capacity {
      notifier.submit(sampleNotification(rule: "fill", since: Int64(since)))
    }
    #expect(notifier.dropped == 0)
    notifier.submit(sampleNotification(rule: "late", subject: "dropped", since: 1))
    #expect(notifier.dropped == 1)
    notifier.submit(sampleNotification(.ended(.over), rule: "late", subject: "dropped", since: 1))
    #expect(notifier.dropped == 2)
    notifier.submit(sampleNotification(.ended(.over), rule: "sent", subject: "first", since: 0))
    #expect(notifier.dropped == 2)
    // Of a beginning that no rule had a command for there is nothing to end.
    notifier.submit(sampleNotification(.ended(.over), rule: "late", subject: "never", since: 2))
    notifier.finish()
    await notifier.service.run(drainTime: .seconds(600))
    #expect(shop.lines("log") == ["first firing", "first resolved"])
  }

  @Test func `a repetition that is delivered has its end delivered`() async throws {
    let script = #"echo "$BWMON_SUBJECT $BWMON_STATE" >> "$0/log""#
    let loud = shop.rule(script, for: "loud", onResolve: true)
    var notifier = Notifier(rules: [CommandRule(rule: "other", words: ["true"])]) { _ in }
    notifier.submit(sampleNotification(rule: "loud"))
    notifier.reload(rules: [loud])
    notifier.submit(sampleNotification(.goesOn, rule: "loud"))
    notifier.submit(sampleNotification(.ended(.over), rule: "loud"))
    notifier.finish()
    await notifier.service.run(drainTime: .seconds(600))
    #expect(shop.lines("log") == ["wget repeat", "wget resolved"])
  }

  @Test func `the end of what an earlier run reported goes to whom it notified`() async throws {
    let rules = ["web", "other"].map {
      shop.rule(#"echo "$BWMON_RULE $BWMON_STATE" >> "$0/log""#, for: $0, onResolve: true)
    }
    var notifier = Notifier(rules: rules) { _ in }
    notifier.restore(sampleNotification().episode, notified: [.command, .mail])
    #expect(notifier.notified(of: sampleNotification().episode) == [.command])
    // Of which nobody was notified, nobody is notified of the end.
    notifier.submit(sampleNotification(.ended(.over), rule: "other"))
    notifier.submit(sampleNotification(.goesOn))
    notifier.submit(sampleNotification(.ended(.ruleRemoved)))
    notifier.finish()
    await notifier.service.run(drainTime: .seconds(600))
    #expect(shop.lines("log") == ["web repeat", "web resolved"])
    #expect(notifier.dropped == 0)
  }
}
