import Foundation
import Glibc
import Lab
import Testing

/// The scenario's text, the commands, and the end.
@Suite(.needs(.tun), .timeLimit(.minutes(10)))
struct ScenarioTests {
  /// A wrong text and the line that is said with it.
  static let mistakes: [(text: String, line: Int, says: String)] = [
    ("nonsense", 1, "neither"), ("delay = 1", 1, "in no section"), ("[network", 1, "ends with ]"),
    ("[router 10.0.0.1]", 1, "a section is"), ("[network]\nspeed = 1", 2, "no speed"),
    ("[hop 10.0.0]", 1, "not an address"), ("[hop 10.0.0.0/8]", 1, "not an address"),
    ("[target 10.0.0.0/33]", 1, "not an address"), ("[hop 10.0.0.1]\n\ndelay = fast", 3, "not a number"),
    ("[hop 10.0.0.1]\ndelay = -1", 2, "not a number"), ("[hop 10.0.0.1]\nloss = 101", 2, "from 0 to 100"),
    ("[hop 10.0.0.1]\nsilent = perhaps", 2, "none of"), ("[hop 10.0.0.1]\necho = no", 2, "a hop has no echo"),
    ("[target 10.0.0.1]\ndrop = 1", 2, "a target has no drop"),
    ("[target 10.0.0.1]\nanswer = unreachable", 2, "whole number"),
    ("[target 10.0.0.1]\ngarbage = 5", 2, "none of"), ("[target 10.0.0.1]\nlimit = 0", 2, "more than 0"),
    ("[target 10.0.0.1]\npath = 10.0.0.2 fd00::1", 2, "other family"),
    ("[target 10.0.0.1]\naddress = fd00::1", 2, "other family"), ("[network]\nmtu = 100", 2, "from 1280"),
    ("[network]\nseed = -", 2, "not a number"),
  ]

  @Test(arguments: mistakes)
  func `a wrong scenario is refused with its line`(text: String, line: Int, says: String) async throws {
    let folder = try ScratchFolder()
    let file = try folder.write(text, to: "scenario")
    let child = try ChildProcess([Program.path("fakenet"), file])
    #expect(try await child.ended() == .exited(1))
    #expect(child.errors.text.hasPrefix("fakenet: \(file):\(line): "), "\(child.errors.text)")
    #expect(child.errors.text.contains(says), "\(child.errors.text)")
  }

  @Test func `a wrong command changes nothing and says why`() async throws {
    let site = try await Site("[hop 10.9.1.1]\n[target 10.9.0.5]\npath = 10.9.1.1")
    for command in [
      "hop 10.9.1.2 delay 1", "target 10.9.1.1 delay 1", "hop 10.9.1.1 delay x", "hop 10.9.1.1",
      "network seed 1",
      "target 10.9.0.5 path 10.9.1.1 nonsense", "hop 10.9.1.1 address nowhere",
    ] {
      await #expect(throws: LabError.self, "\(command)") { try await site.network.set(command) }
    }
    let text = try await site.text("traceroute -n -q 1 -w 60 10.9.0.5")
    #expect(PathTests.hops(text) == ["10.9.1.1", "10.9.0.5"], "\(text)")
  }

  @Test func `commands given at once are each answered`() async throws {
    let site = try await Site("[target 10.9.0.5]")
    try await withThrowingTaskGroup(of: Void.self) { group in
      for loss in 0..<50 { group.addTask { try await site.network.set("target 10.9.0.5 loss \(loss)") } }
      try await group.waitForAll()
    }
  }

  @Test func `counters begin again`() async throws {
    let site = try await Site("[target 10.9.0.5]")
    _ = try await Probes.answers("echo 10.9.0.5 3", in: site.host, of: site.network)
    #expect(try await site.network.counters().targets["10.9.0.5"]?.answered == 3)
    try await site.network.reset()
    #expect(try await site.network.counters().targets["10.9.0.5"]?.answered == 0)
  }

  @Test func `SIGTERM ends it with its counters`() async throws {
    let site = try await Site("[target 10.9.0.5]")
    let process = site.network.process
    #expect(try await process.stop(SIGTERM) == .exited(0))
    #expect(process.output.lines.last?.hasPrefix("{\"targets\":{\"10.9.0.5\":{\"received\":0") == true)
    await #expect(throws: LabError.self) { try await site.network.counters() }
  }

  @Test func `its end takes the device away`() async throws {
    let site = try await Site("[target 10.9.0.5]", settings: "name = other0\nroutes = 10.9.0.0/24")
    #expect(try await site.host.ip("route").contains("10.9.0.0/24 dev other0"))
    try await site.network.stop()
    #expect(try await !site.host.ip("link").contains("other0"))
  }

  @Test func `a device that is down loses packets, not the network`() async throws {
    let site = try await Site("[target 10.9.0.5]\ndelay = 300")
    let probes = try Probes("echo 10.9.0.5 5", in: site.host)
    try await site.network.counters("the probes") { $0.targets["10.9.0.5"]?.received == 5 }
    try await site.host.ip("link set fake0 down")
    try await site.network.counters("the end of all answers") { $0.waiting == 0 }
    _ = try await probes.answers()
    try await site.host.ip("link set fake0 up")
    try await site.host.ip("route replace default dev fake0")
    let answers = try await Probes.answers("echo 10.9.0.5 5", in: site.host, of: site.network)
    #expect(answers.count == 5)
  }

  @Test(arguments: kinds)
  func `packets of any content do not end it`(kind: String) async throws {
    let site = try await Site(
      """
      [hop 10.9.1.1]
      noise = 50 \(kind)
      [target 10.9.0.5]
      path = 10.9.1.1
      tcp = open
      udp = echo
      garbage = 50 \(kind)
      """)
    _ = try await site.python(
      """
      import random, struct
      random.seed(1)
      s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
      for number in range(3000):
        options = random.choice([0, 0, 0, 4, 40])
        body = random.randbytes(random.choice([0, 1, 4, 7, 8, 19, 20, 28, 200]))
        if body and random.random() < 0.5: body = bytes([random.choice([0, 3, 8, 11])]) + body[1:]
        head = struct.pack("!BBHHHBBH4s4s", 0x45 + options // 4, 0, 0, 0, random.choice([0, 0, 0x4000, 0x2000, 7]),
          random.choice([1, 2, 64]), random.choice([1, 6, 17, 58, 132]), 0, bytes([10, 9, 0, 1]), bytes([10, 9, 0, 5]))
        try: s.sendto(head + bytes([1] * options) + body, ("10.9.0.5", 0))
        except OSError: pass
      """)
    try await site.network.set("target 10.9.0.5 garbage 0")
    let text = try await site.text("ping -n -c 1 10.9.0.5")
    #expect(text.contains("1 received"), "\(text)")
    let counters = try await site.network.stop()
    let counts = try #require(counters.targets["10.9.0.5"])
    #expect(counts.malformed > 0 && counts.sum == counts.received, "\(counts)")
    #expect(counters.hops["10.9.1.1"].map { $0.sum == $0.received && $0.noise > 0 } == true, "\(counters)")
  }

  static let kinds = ["checksum", "truncated", "identifier", "sequence", "source", "payload"]

  @Test func `a line that is too long is refused`() async throws {
    let folder = try ScratchFolder()
    let file = try folder.write(
      "[target 10.0.0.1]\npath = " + String(repeating: "10.0.0.2 ", count: 1000), to: "scenario")
    let child = try ChildProcess([Program.path("fakenet"), file])
    #expect(try await child.ended() == .exited(1))
    #expect(child.errors.text.contains(":2: longer than"), "\(child.errors.text)")
  }
}
