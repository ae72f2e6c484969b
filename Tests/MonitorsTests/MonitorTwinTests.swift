import Lab
import SystemRuntime
import Model
import Patterns
import Testing

@testable import Monitors

/// A18 to A23, A31, A33 to A35, A46 and A50 without a kernel: from the text of a fake /proc to the readings.
@Suite struct MonitorTwinTests {
  @Test(arguments: processes + servers + flows) func `from the files of /proc to the readings`(
    scenario: TwinScenario
  ) throws {
    try scenario.run()
  }

  /// Of those that run something else at once, without a byte since: who had no row, or is not to have one, is not
  /// said.
  @Test func `a new name is only said of what was shown and is to be shown`() throws {
    let host = FakeHost()
    let names: [(pid: Int32, before: String, after: String)] = [
      (7, "curl 7", "sleep 7"), (8, "sleep 8", "curl 8"), (9, "curl 9", "curl nine"),
    ]
    let monitor = try host.monitor(filters: [MonitorFilter(include: [try Pattern("curl")])])
    let start = Instant.now
    for tick in 1...4 {
      for (pid, before, after) in names {
        let ends = "10.0.0.1:400\(pid) 192.0.2.9:443"
        if tick == 1 {
          host.proc.add(pid, start: 100, arguments: Array("\(before)\0".utf8), sockets: [3: UInt64(pid)])
          host.addSocket(UInt64(pid), "tcp \(ends)")
        }
        if tick == 3 { host.proc.write("\(pid)/cmdline", Array("\(after)\0".utf8)) }
        if tick < 4 { host.setFlow("tcp \(ends)", zone: 0, UInt64(tick), 0, isOffloaded: false) }
      }
      host.writeFiles()
      let measurement = try monitor.readings(until: start + .seconds(tick))
      #expect(
        measurement.readings.map(\.summary).sorted()
          == (tick < 4 ? ["7@100 curl 7 0/1", "9@100 curl 9 0/1"] : []))
      #expect(measurement.renamed.map(\.commandLine) == (tick < 4 ? [] : ["curl nine"]))
    }
  }

  private static let client = "tcp 10.0.0.1:4000 192.0.2.9:443"

  private static let processes = [
    TwinScenario(
      "A18 the parent ends, its child goes on",
      [
        .start(7, "parent", at: 100, holds: [501]), .socket(501, client), .flow(client, 100, 9000),
        .says(["7@100 parent 9000/100"]),
        .start(8, "child", at: 200, holds: [501]), .flow(client, 150, 9500),
        .says(["7@100 parent 500/50 shared"]),
        .end(7), .flow(client, 175, 9600), .says(["8@200 child 100/25"], ended: ["7@100"]),
      ]),
    TwinScenario(
      "A19 exec: the same process, another name",
      [
        .start(7, "before", at: 100, holds: [501]), .socket(501, client), .flow(client, 100, 9000),
        .says(["7@100 before 9000/100"]),
        .exec(7, "after"), .flow(client, 150, 9500), .says(["7@100 after 500/50"]),
      ]),
    TwinScenario(
      "A19 exec, and all bytes of the other program before its name is due",
      [
        .start(7, "before", at: 100, holds: [501]), .start(8, "silent", at: 100), .socket(501, client),
        .flow(client, 100, 9000), .says(["7@100 before 9000/100"]),
        .flow(client, 101, 9000), .says(["7@100 before 0/1"]),
        .exec(7, "after"), .exec(8, "other"), .flow(client, 150, 9500), .says(["7@100 before 500/49"]),
        .says([], renamed: ["7@100 after"]), .says([]),
        .flow(client, 160, 9500), .says(["7@100 after 0/10"]),
      ]),
    TwinScenario(
      "A19 exec, and the end before the name is due",
      [
        .start(7, "before", at: 100, holds: [501]), .socket(501, client),
        .flow(client, 100, 9000), .says(["7@100 before 9000/100"]),
        .flow(client, 101, 9000), .says(["7@100 before 0/1"]),
        .exec(7, "after"), .flow(client, 150, 9500), .says(["7@100 before 500/49"]),
        .end(7), .says([], ended: ["7@100"]), .says([]),
      ]),
    TwinScenario(
      "A20 a shared descriptor is the oldest holder's, whatever the pids; one handed over its holder's",
      [
        .start(9, "old", at: 100, holds: [501]), .start(8, "young", at: 200, holds: [501]),
        .start(7, "other", at: 300), .socket(501, client), .flow(client, 100, 9000),
        .says(["9@100 old 9000/100 shared"]),
        .end(9), .flow(client, 150, 9500), .says(["8@200 young 500/50"], ended: ["9@100"]),
        .open(7, 501), .close(8, 501), .flow(client, 175, 9600), .says(["7@300 other 100/25"]),
      ]),
    TwinScenario(
      "A21 a pid that comes again is another process",
      [
        .start(7, "first", at: 100, holds: [501]), .socket(501, client), .flow(client, 100, 9000),
        .says(["7@100 first 9000/100"]),
        .end(7), .noSocket(501), .start(7, "second", at: 200, holds: [502]),
        .socket(502, "tcp 10.0.0.1:4001 192.0.2.9:443"), .flow("tcp 10.0.0.1:4001 192.0.2.9:443", 30, 40),
        // Late bytes are still the first one's.
        .flow(client, 110, 9001),
        .says(["7@100 first 1/10", "7@200 second 40/30"], ended: ["7@100"]),
      ]),
  ]

  private static let worker = ["5000", "5001", "5002", "5003"].map { "tcp 10.0.0.1:80 192.0.2.9:\($0)" }
  private static let visit = ["5000", "5001", "5002", "5003"].map { "tcp 192.0.2.9:\($0) 10.0.0.1:80" }

  private static let servers = [
    TwinScenario(
      "A33 SO_REUSEPORT: nobody's before it is accepted, then the worker's that accepted",
      [
        .start(31, "worker", at: 100, holds: [500]), .start(32, "worker", at: 100, holds: [501]),
        .socket(500, "tcp *:80"), .socket(501, "tcp *:80"), .socket(0, worker[0]), .flow(visit[0], 60, 40),
        .says(["(unattributed: ambiguous) 60/40"]),
        .socket(600, worker[0]), .socket(601, worker[1]), .socket(602, worker[2]), .socket(603, worker[3]),
        .open(31, 600), .open(32, 601), .open(31, 602), .open(32, 603),
        .flow(visit[0], 160, 1040), .flow(visit[1], 1, 10), .flow(visit[2], 2, 20), .flow(visit[3], 4, 40),
        .says(["31@100 worker 102/1020", "32@100 worker 5/50"]),
      ]),
    TwinScenario(
      "A34 prefork: the listener's before it is accepted, then the child's",
      [
        .start(31, "parent", at: 100, holds: [500]), .socket(500, "tcp *:80"), .socket(0, worker[0]),
        .flow(visit[0], 60, 40), .says(["31@100 parent 60/40 relaxed"]),
        .start(32, "child", at: 200, holds: [500, 600]), .socket(600, worker[0]), .flow(visit[0], 160, 1040),
        .says(["32@200 child 100/1000"]),
      ]),
    TwinScenario(
      "A35 activation: pid 1 listens, the service accepts",
      [
        .start(1, "init", at: 1, holds: [500]), .socket(500, "tcp *:80"), .socket(0, worker[0]),
        .flow(visit[0], 60, 40), .says(["1@1 init 60/40 relaxed"]),
        .start(32, "service", at: 200, holds: [500, 600]), .socket(600, worker[0]),
        .flow(visit[0], 160, 1040),
        .says(["32@200 service 100/1000"]),
        .socket(0, worker[1]), .flow(visit[1], 60, 40), .says(["(unattributed: ambiguous) 60/40"]),
      ]),
  ]

  private static let query = "udp 10.0.0.1:5353 192.0.2.9:53"
  private static let passing = "tcp 172.30.0.2:4000 192.0.2.9:443"

  private static let flows = [
    TwinScenario(
      "A22 the same ends again are another flow, never less than nothing",
      [
        .start(7, "first", at: 100, holds: [501]), .socket(501, client), .flow(client, 1000, 9000),
        .says(["7@100 first 9000/1000"]),
        .end(7), .start(8, "second", at: 200, holds: [502]), .socket(502, client), .flow(client, 60, 40),
        .says(["8@200 second 40/60"], ended: ["7@100"]),
      ]),
    TwinScenario(
      "A23 an entry that expired and comes again adds up, with less and with more than before",
      [
        .start(7, "resolver", at: 100, holds: [501]), .socket(501, query), .flow(query, 100, 200),
        .says(["7@100 resolver 200/100"]),
        .noFlow(query), .says([]), .flow(query, 60, 90), .says(["7@100 resolver 90/60"]),
        .noFlow(query), .says([]), .pause(30), .says([]),
        .flow(query, 1000, 2000), .says(["7@100 resolver 2000/1000"]),
      ]),
    TwinScenario(
      "A31 one tuple in two zones is two flows",
      [
        .flow(passing, 100, 9000, zone: 1), .flow(passing, 10, 20, zone: 2),
        .says(["(forwarded) 9130/9130"]),
        .flow(passing, 101, 9002, zone: 1), .flow(passing, 14, 28, zone: 2), .says(["(forwarded) 15/15"]),
      ]),
    TwinScenario(
      "A46 bytes of an offloaded flow are marked, those after it are not",
      [
        .start(7, "client", at: 100, holds: [501]), .socket(501, client),
        .flow(client, 100, 9000, isOffloaded: true), .says(["7@100 client 9000/100 relaxed"]),
        .flow(client, 150, 9500), .says(["7@100 client 500/50"]),
      ]),
    TwinScenario(
      "A50 all parts of the balance at once",
      [
        .start(7, "client", at: 100, holds: [501, 502]), .start(8, "server", at: 100, holds: [503]),
        .start(9, "listener", at: 100, holds: [504]), .start(10, "listener", at: 100, holds: [505]),
        .socket(501, client), .socket(502, "tcp 10.0.0.1:4002 10.0.0.1:80"),
        .socket(503, "tcp 10.0.0.1:80 10.0.0.1:4002"), .socket(504, "tcp *:81"), .socket(505, "tcp *:81"),
        .socket(0, "tcp 10.0.0.1:81 192.0.2.9:5000"), .socket(506, "udp *:4789"),
        .flow(client, 1, 2), .flow("tcp 10.0.0.1:4002 10.0.0.1:80", 10, 20), .flow(passing, 100, 200),
        .flow("icmp 192.0.2.9 10.0.0.1", 84, 84), .flow("tcp 192.0.2.9:5000 10.0.0.1:81", 1000, 2000),
        .flow("udp 192.0.2.9:9 10.0.0.1:4789", 7, 0), .flow("udp 192.0.2.9:9 10.0.0.1:9", 5, 0),
        .flow("udp 10.0.0.1:9 192.0.2.9:9", 3, 0),
        .says([
          "7@100 client 22/11", "8@100 server 10/20", "(forwarded) 300/300", "(kernel) 84/84",
          "(unattributed: ambiguous) 1000/2000", "(unattributed: no_holder) 7/0",
          "(unattributed: no_socket) 5/0", "(unattributed: exited) 0/3",
        ]),
      ]),
  ]
}
