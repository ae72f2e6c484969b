import Model
import Output
import Testing

/// The change of a route as people and programs see it.
@Suite struct RouteNotificationTests {
  private func route(_ numbers: [UInt32?]) -> RouteTrace {
    let hops = numbers.map { number in
      number.map { RouteTrace.Hop(IPAddress(v4: 0x0a00_0000 + $0), .milliseconds(1)) } ?? RouteTrace.Hop()
    }
    return RouteTrace(hops: hops, ending: .reached)
  }

  private func changed(name: String = "way out", rules: [String] = []) -> ChangedRoute {
    ChangedRoute(
      target: ProbeTarget(name: name, address: IPAddress(v4: 0x0a00_0009)), from: route([1, nil, 9]),
      to: route([1, 7, nil, 9]), time: Timestamp(seconds: 1_764_417_600, utcOffset: 3600), rules: rules)
  }

  @Test func `a line has both routes`() {
    #expect(
      RouteLine(changed()).description
        == "2025-11-29 13:00:00: way out takes another route: 10.0.0.1 10.0.0.7 * 10.0.0.9; before: 10.0.0.1 * 10.0.0.9"
    )
    let hostile = RouteLine(changed(name: "a\nb\u{1b}[2J")).description
    #expect(hostile.contains(#"a\nb\e[2J takes"#), "\(hostile)")
    var long = changed()
    long.from = route((0..<255).map { $0 })
    #expect(RouteLine(long).description.utf8.count < 2000)
  }

  @Test func `JSON has the hops of both`() {
    var bytes: [UInt8] = []
    var renderer = JSONRenderer(origin: JSONRenderer.Origin(host: "h", version: "2"))
    renderer.render(.route(changed(rules: ["a\"b"])), to: &bytes)
    #expect(
      String(decoding: bytes, as: UTF8.self)
        == #"{"schema":1,"event":"route","time":"2025-11-29T12:00:00.000Z","target":"way out","address":"10.0.0.9","#
        + #""from":["10.0.0.1",null,"10.0.0.9"],"to":["10.0.0.1","10.0.0.7",null,"10.0.0.9"],"rules":["a\"b"],"#
        + #""host":"h","version":"2"}"# + "\n")
  }

  @Test func `a notification has both routes as facts, and is the only one of its matter`() {
    let notification = Notification(changed(), rule: "routes", host: "h")
    #expect(notification.stage == .single && notification.rule == "routes")
    let facts = Dictionary(uniqueKeysWithValues: notification.facts.map { ($0.name, $0.value) })
    #expect(facts.count == notification.facts.count)
    for (name, value) in [
      ("RULE", "routes"), ("STATE", "changed"), ("SUBJECT", "way out"), ("ADDRESS", "10.0.0.9"),
      ("MEASURE", "route"), ("ROUTE", "10.0.0.1 10.0.0.7 * 10.0.0.9"),
      ("ROUTE_BEFORE", "10.0.0.1 * 10.0.0.9"),
      ("TIME", "2025-11-29T12:00:00.000Z"), ("COUNT", "1"), ("REASON", ""), ("HOST", "h"),
    ] { #expect(facts["BWMON_\(name)"] == value, "\(name)") }
    #expect(notification.line == RouteLine(changed()).description)
  }

  @Test func `plain lines and the table have none`() {
    for style in PlainRenderer.Style.allCases {
      var plain = PlainRenderer(style: style)
      #expect(plain.render(.route(changed())).isEmpty)
    }
    var table = TableRenderer(width: 80, height: 24, color: false)
    #expect(table.render(.route(changed())).isEmpty)
  }
}
