import Model
import Testing

import Output

@Suite struct JSONRendererTests {
  private func json(_ event: Event) -> String {
    var renderer = JSONRenderer(origin: sampleOrigin)
    return renderer.render(event)
  }

  private let balance = Balance(
    attributed: Usage(received: 1000, sent: 200), forwarded: Usage(received: 30, sent: 30),
    kernel: Usage(received: 4, sent: 5),
    unattributed: [.exited: Usage(received: 6, sent: 1), .noSocket: Usage(received: 0, sent: 2)],
    hidden: Usage(received: 100, sent: 20), loopback: Usage(received: 8, sent: 8),
    untracked: Usage(received: 1, sent: 2), interfaces: Usage(received: 800, sent: 200))

  private var health: Health {
    var health = Health()
    (health.flows, health.uncounted, health.offloaded, health.denied) = (12, 1, 2, 3)
    (health.missedEnds, health.lostEntries, health.counterResets) = (16, 17, 18)
    (health.missedEvents, health.interruptedDumps, health.malformed, health.vanished) = (4, 5, 6, 7)
    (health.failedReads, health.dropped) = (11, 12)
    (health.evicted, health.abandonedSearches, health.droppedNotifications) = (8, 9, 10)
    health.droppedRecords = 19
    (health.namespaces, health.unreadNamespaces, health.skippedReports) = (13, 14, 15)
    return health
  }

  @Test func `a report is one line with the agreed keys in the agreed order`() {
    let rows = [
      process("curl -s http://h/", pid: 4711, total: (10_485_760, 2212), moved: (10_485_760, 2212)),
      process("wget", pid: 5, exited: true, total: (1, 2), moved: (0, 1)),
      application("Web", pids: [7, 8], total: (3, 4), moved: (3, 0)),
      UsageRow(
        name: "(forwarded)", subject: .remainder, total: Usage(received: 30, sent: 30),
        moved: Usage(received: 1, sent: 1)),
    ]
    let text = json(.usage(report(rows, over: .milliseconds(1500), balance: balance, health: health)))
    let expected = [
      #"{"schema":1,"event":"usage","time":"2026-11-21T10:00:01.007Z","interval":1.500,"layer":"l3","rows":["#,
      #"{"name":"curl -s http://h/","pid":4711,"uid":1000,"received":10485760,"sent":2212,"#,
      #""received_rate":6990506.7,"sent_rate":1474.7,"exited":false,"match":"exact"},"#,
      #"{"name":"wget","pid":5,"uid":1000,"received":1,"sent":2,"received_rate":0.0,"sent_rate":0.7,"exited":true,"match":"exact"},"#,
      #"{"name":"Web","pids":[7,8],"received":3,"sent":4,"received_rate":2.0,"sent_rate":0.0,"match":"exact"},"#,
      #"{"name":"(forwarded)","kind":"remainder","received":30,"sent":30,"received_rate":0.7,"sent_rate":0.7}],"ended":{"rows":0,"received":0,"sent":0},"#,
      #""balance":{"total":{"received":1040,"sent":238},"attributed":{"received":1000,"sent":200},"#,
      #""forwarded":{"received":30,"sent":30},"kernel":{"received":4,"sent":5},"#,
      #""unattributed":{"received":6,"sent":3,"reasons":{"exited":7,"ambiguous":0,"no_socket":2,"denied":0,"no_holder":0}},"#,
      #""hidden":{"received":100,"sent":20},"loopback":{"received":8,"sent":8},"payload":{"received":0,"sent":0},"#,
      #""untracked":{"received":1,"sent":2},"interfaces":{"received":800,"sent":200},"coverage":99.70},"#,
      #""health":{"flows":12,"missed_events":4,"unheard_ends":16,"vanished":7,"denied":3,"uncounted":1,"offloaded":2,"#,
      #""interrupted_dumps":5,"malformed":6,"failed_reads":11,"dropped":12,"evicted":8,"abandoned_searches":9,"#,
      #""dropped_notifications":10,"skipped_reports":15,"namespaces":13,"unread_namespaces":14,"lost_entries":17,"#,
      #""counter_resets":18,"dropped_records":19},"host":"server-1","version":"2.0.0"}"#,
    ]
    #expect(text == expected.joined() + "\n")
  }

  @Test func `one renderer's reports are what new ones make, whatever changes between them`() {
    var generator = SystemRandomNumberGenerator()
    var renderer = JSONRenderer(origin: sampleOrigin)
    var rows: [UsageRow] = []
    for round in 0..<400 {
      switch Int.random(in: 0..<5, using: &generator) {
      case 0: rows.append(process("p\(round)", pid: Int32(round), total: (1, 2), moved: (0, 0)))
      case 1 where !rows.isEmpty: rows.remove(at: rows.indices.randomElement() ?? 0)
      case 2 where !rows.isEmpty:
        let index = rows.indices.randomElement() ?? 0
        rows[index].moved = Usage(received: .random(in: 0...1), sent: 0)
        rows[index].total += rows[index].moved
      case 3: for index in rows.indices { rows[index].moved = .zero }
      default: rows.shuffle()
      }
      let interval: Duration? = round % 7 == 0 ? nil : .milliseconds(.random(in: 1...2000))
      let event = Event.usage(report(rows, over: interval, balance: balance, health: health))
      #expect(renderer.render(event) == json(event), "\(round)")
    }
  }

  @Test
  func `more rows than are remembered are written all the same, also when most of them go and come back`() {
    var renderer = JSONRenderer(origin: sampleOrigin)
    let many = (0..<1_100).map { process("p\($0)", pid: Int32($0), total: (1, UInt64($0))) }
    for count in [1_100, 1_100, 1_025, 1_024, 3, 1_100] {
      let event = Event.usage(report(Array(many.prefix(count))))
      #expect(renderer.render(event) == json(event), "\(count)")
    }
  }

  /// 300 short commands: each later line would have all of them, and the journal splits lines at 48 kB.
  @Test(arguments: [false, true])
  func `what has ended is in the report of its last bytes, then in a sum`(all: Bool) {
    var renderer = JSONRenderer(origin: sampleOrigin, showsAllRows: all)
    var rows = (0..<300).map { index in
      UsageRow(
        name: "fetch \(index) \(String(repeating: "x", count: 100))", subject: .exited(processes: 1),
        total: Usage(received: 10, sent: 1), moved: Usage(received: 10, sent: 1), hasEnded: true)
    }
    rows += [
      process("lives", total: (5, 5)), process("just ended", pid: 2, exited: true, total: (6, 6)),
      application("pipe only", pids: [], total: (7, 7), moved: (0, 0)),
    ]
    let first = renderer.render(.usage(report(rows)))
    #expect(first.contains(#""ended":{"rows":0,"received":0,"sent":0}"#))
    #expect(first.split(separator: "fetch ").count == 301)
    for index in rows.indices { rows[index].moved = .zero }
    rows[299].moved = Usage(received: 1, sent: 0)
    let second = renderer.render(.usage(report(rows)))
    let ended = all ? (0, 0, 0) : (299, 2990, 299)
    #expect(
      second.contains(#""ended":{"rows":\#(ended.0),"received":\#(ended.1),"sent":\#(ended.2)}"#))
    #expect(second.split(separator: "fetch ").count == (all ? 301 : 2))
    for name in ["lives", "just ended", "pipe only", "fetch 299"] {
      #expect(second.contains(name), "\(name)")
    }
    #expect(all || second.utf8.count < 4096)
  }

  @Test func `the first report has no interval and no rates`() throws {
    let text = json(.usage(report([process("a", total: (9, 9), moved: (9, 9))], over: nil)))
    #expect(text.contains(#""interval":null,"layer""#))
    #expect(text.contains(#""received":9,"sent":9,"received_rate":0.0,"sent_rate":0.0,"#))
  }

  @Test(arguments: [
    (Alert.State.firing, #""state":"firing""#, #""count":1"#),
    (.repeated(count: 3), #""state":"firing""#, #""count":3"#),
    (.resolved(.below), #""state":"resolved""#, #""reason":"below""#),
    (.resolved(.gone), #""state":"resolved""#, #""reason":"gone""#),
    (.resolved(.removed), #""state":"resolved""#, #""reason":"removed""#),
  ])
  func `an alert is one line`(state: Alert.State, written: String, detail: String) {
    let expected = [
      #"{"schema":1,"event":"alert","time":"2026-11-21T10:00:01.007Z",\#(written),"#,
      #""rule":"web-limit","subject":"Web","direction":"sent","value":126412.8,"threshold":51200.5,"#,
      #""unit":"B/s","interval":10.500,"since":"2026-11-21T09:58:20.000Z",\#(detail),"pids":[7,4711],"host":"server-1","version":"2.0.0"}"#,
    ]
    #expect(json(.alert(alert(state, direction: .sent))) == expected.joined() + "\n")
  }

  @Test func `a warning is one line`() {
    let text = json(.warning(Warning(code: "accounting_off", text: "run \"x\"."), at: sampleTime))
    let expected =
      #"{"schema":1,"event":"warning","time":"2026-11-21T10:00:01.007Z","state":"firing","code":"accounting_off","text":"run \"x\".","host":"server-1","version":"2.0.0"}"#
    #expect(text == expected + "\n")
  }

  @Test func `counters of any size are integers`() {
    let text = json(.usage(report([process("a", total: (.max, 1 << 53), moved: (.max, .max))])))
    #expect(text.contains(#""received":18446744073709551615,"sent":9007199254740992,"#))
  }
}
