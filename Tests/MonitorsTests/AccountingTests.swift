import Lab
import Model
import Patterns
import SystemRuntime
import Testing

@testable import Monitors

@Suite struct AccountingTests {
  private static func filter(
    include: [String] = [], exclude: [String] = [], ignoresLocal: Bool = false
  ) throws -> MonitorFilter {
    MonitorFilter(
      include: try include.map { try Pattern($0) }, exclude: try exclude.map { try Pattern($0) },
      ignoresLocal: ignoresLocal)
  }

  /// curl (1) downloads from elsewhere and talks to nginx (2) here; something unnamed moves too.
  private static func host(_ filters: [MonitorFilter]) -> Scenario {
    var host = Scenario(filters: filters)
    host.commandLines = [1: "curl -s http://h/", 2: "nginx: worker process"]
    host.socket(.tcp, "10.0.0.1:4000", "192.0.2.9:443", heldBy: 1)
    host.socket(.tcp, "127.0.0.1:4001", "127.0.0.1:80", heldBy: 1)
    host.socket(.tcp, "127.0.0.1:80", "127.0.0.1:4001", heldBy: 2)
    host.flow(1, .tcp, "10.0.0.1:4000", "192.0.2.9:443", bytes: (100, 9000))
    host.flow(2, .tcp, "127.0.0.1:4001", "127.0.0.1:80", bytes: (10, 20))
    host.flow(3, .tcp, "172.30.0.2:1", "192.0.2.9:2", bytes: (1, 2))
    return host
  }

  private static let total = Usage(9000 + 30 + 3, 100 + 30 + 3)

  @Test func `without filters all is shown and nothing hidden`() throws {
    var host = Self.host([try Self.filter()])
    let result = host.tick()
    #expect(
      result.owners == [.pid(1): Usage(9020, 110), .pid(2): Usage(10, 20), .forwarded: Usage(3, 3)])
    #expect(result.balance.hidden == .zero && result.balance.total == Self.total)
  }

  @Test(
    arguments: [
      ("include", ["curl"], [], false, [Owner.pid(1): Usage(9020, 110)]),
      ("two includes", ["curl", "nginx"], [], false, [.pid(1): Usage(9020, 110), .pid(2): Usage(10, 20)]),
      ("exclude", [], ["curl"], false, [.pid(2): Usage(10, 20), .forwarded: Usage(3, 3)]),
      ("include and exclude", ["."], ["nginx"], false, [.pid(1): Usage(9020, 110)]),
      ("ignore local", [], [], true, [.pid(1): Usage(9000, 100), .forwarded: Usage(3, 3)]),
      ("nothing fits", ["sshd"], [], false, [:]),
    ] as [(String, [String], [String], Bool, [Owner: Usage])])
  func `filters hide rows, never bytes of the balance`(
    name: String, include: [String], exclude: [String], ignoresLocal: Bool, expected: [Owner: Usage]
  ) throws {
    var host = Self.host([try Self.filter(include: include, exclude: exclude, ignoresLocal: ignoresLocal)])
    let result = host.tick()
    #expect(result.owners == expected, "\(name)")
    let shown = expected.values.reduce(.zero, +)
    #expect(shown + result.balance.hidden == Self.total)
    #expect(result.balance.total == Self.total)
  }

  @Test func `this program's own bytes are hidden, whatever a filter wants`() throws {
    var host = Scenario(filters: [try Self.filter(), try Self.filter(include: ["curl"])], hiding: 1)
    host.commandLines = [1: "curl", 2: "curl"]
    host.socket(.tcp, "127.0.0.1:4001", "127.0.0.1:80", heldBy: 1)
    host.socket(.tcp, "127.0.0.1:80", "127.0.0.1:4001", heldBy: 2)
    host.flow(2, .tcp, "127.0.0.1:4001", "127.0.0.1:80", bytes: (10, 20))
    let result = host.tick()
    #expect(result.owners == [.pid(2): Usage(10, 20)])
    #expect(result.balance.hidden == Usage(20, 10) && result.balance.attributed == Usage(30, 30))
  }

  @Test func `two monitors that show the same process count it once`() throws {
    var host = Self.host([
      try Self.filter(include: ["curl"], ignoresLocal: true), try Self.filter(include: ["curl|nginx"]),
    ])
    #expect(host.tick().owners == [.pid(1): Usage(9020, 110), .pid(2): Usage(10, 20)])
  }

  @Test
  func `one of two monitors that ignores local traffic leaves it to the other only for what that shows`()
    throws
  {
    var host = Self.host([
      try Self.filter(include: ["curl"], ignoresLocal: true), try Self.filter(include: ["nginx"]),
    ])
    #expect(host.tick().owners == [.pid(1): Usage(9000, 100), .pid(2): Usage(10, 20)])
  }

  @Test func `after exec the filter asks again`() throws {
    var host = Self.host([try Self.filter(include: ["curl"])])
    _ = host.tick()
    host.commandLines[1] = "sleep 9"
    host.flow(1, .tcp, "10.0.0.1:4000", "192.0.2.9:443", bytes: (200, 9000))
    let result = host.tick()
    #expect(result.owners.isEmpty)
    #expect(result.balance.hidden == Usage(0, 100))
  }

  @Test(arguments: [("curl x", true), ("sleep 9", false)])
  func `who runs something else is shown under that name if it is asked for`(
    name: String, isShown: Bool
  ) throws {
    var accounting = Accounting(filters: [try Self.filter(include: ["curl"])], seed: 1)
    let process = ProcessDescription(
      identity: Scenario.process(4), uid: 0, executable: nil, arguments: [], commandLine: name)
    #expect(accounting.shows(process) == isShown)
  }

  @Test(
    arguments: [
      ("nobody's, shown", [], nil, Usage(5, 9), Usage.zero, Owner.untracked),
      ("nobody's, processes wanted", ["curl"], nil, .zero, Usage(5, 9), .untracked),
      ("a process's", [], "dhcp", Usage(5, 9), .zero, .pid(4)),
      ("a process's that is wanted", ["dhcp"], "dhcp", Usage(5, 9), .zero, .pid(4)),
      ("a process's that is not", ["curl"], "dhcp", .zero, Usage(5, 9), .pid(4)),
    ] as [(String, [String], String?, Usage, Usage, Owner)])
  func `untracked bytes are shown or hidden, never lost`(
    name: String, include: [String], commandLine: String?, shown: Usage, hidden: Usage, owner: Owner
  ) throws {
    var accounting = Accounting(filters: [try Self.filter(include: include)], seed: 1)
    let process = commandLine.map {
      ProcessDescription(
        identity: Scenario.process(4), uid: 0, executable: nil, arguments: [], commandLine: $0)
    }
    var balance = Balance()
    let reading = accounting.reading(untracked: Usage(5, 9), of: process, balance: &balance)
    #expect(reading.owner == owner && reading.usage == shown && balance.hidden == hidden, "\(name)")
    #expect(process == nil || reading.certainty.match == .relaxed)
    #expect(balance.total == .zero)
  }

  /// Law 1 on hosts of every shape: readings and hidden bytes are what the flows moved, seen from this host.
  @Test(arguments: 0..<100) func `conservation on random scenarios`(seed: UInt64) throws {
    var generator = SplitMix64(seed: seed)
    let filters = try [
      Self.filter(
        include: Bool.random(using: &generator) ? ["process [1-4]"] : [],
        ignoresLocal: .random(using: &generator))
    ]
    var host = Scenario(filters: filters)
    let ends = ["10.0.0.1", "127.0.0.1", "192.0.2.9", "172.30.0.2"]
    let transports: [TransportProtocol] = [.tcp, .udp, .icmp, .gre, .sctp, TransportProtocol(rawValue: 253)]
    func local(_ end: String) -> Bool { end == ends[0] || end == ends[1] }
    var shapes: [UInt32: (String, String, TransportProtocol, UInt64, UInt64)] = [:]
    var expected = Usage.zero
    var counted = Usage.zero
    var balance = Balance()
    for _ in 0..<12 {
      host.isDenied = Int.random(in: 0..<4, using: &generator) == 0
      for _ in 0..<5 {
        let id = UInt32.random(in: 1...60, using: &generator)
        let shape =
          shapes[id]
          ?? (
            ends.randomElement(using: &generator) ?? "", ends.randomElement(using: &generator) ?? "",
            transports.randomElement(using: &generator) ?? .tcp, 0, 0
          )
        let more = (
          UInt64.random(in: 0...5000, using: &generator), UInt64.random(in: 0...5000, using: &generator)
        )
        let total = (shape.3 + more.0, shape.4 + more.1)
        shapes[id] = (shape.0, shape.1, shape.2, total.0, total.1)
        let source = "\(shape.0):\(4000 + id)"
        let destination = "\(shape.1):80"
        // Only at ends of this host: elsewhere a socket would prove that the address is ours as well.
        if local(shape.0), Bool.random(using: &generator) {
          host.socket(shape.2, source, destination, heldBy: Int32.random(in: 1...6, using: &generator))
        }
        if local(shape.1), Bool.random(using: &generator) {
          host.socket(shape.2, destination, source, heldBy: Int32.random(in: 1...6, using: &generator))
        }
        host.flow(id, shape.2, source, destination, bytes: total)
        let usage = Usage(received: more.1, sent: more.0)
        if local(shape.0) { expected += usage }
        if local(shape.1) { expected += usage.reversed }
        if !local(shape.0) && !local(shape.1) { expected += usage + usage.reversed }
      }
      let result = host.tick()
      counted += result.owners.values.reduce(.zero, +) + result.balance.hidden
      balance += result.balance
    }
    #expect(counted == expected)
    #expect(balance.total == expected)
    #expect(balance.attributed.sum <= expected.sum)
  }
}
