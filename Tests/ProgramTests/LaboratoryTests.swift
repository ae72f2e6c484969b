import Foundation
import Glibc
import Lab
import Testing

/// The instruments of the laboratory, by themselves.
@Suite struct LaboratoryTests {
  static let entries: [(line: String, transport: String, bytes: [UInt64?], ports: [Int])] = [
    (
      "ipv4     2 tcp      6 431999 ESTABLISHED src=10.77.1.1 dst=10.77.1.2 sport=36210 dport=42363 packets=9 "
        + "bytes=100476 src=10.77.1.2 dst=10.77.1.1 sport=42363 dport=36210 packets=7 bytes=372 [ASSURED] mark=0 use=1",
      "tcp", [100_476, 372], [36210, 42363]
    ),
    (
      "ipv4     2 unknown  253 599 src=10.77.1.1 dst=10.77.1.2 packets=100 bytes=102000 [UNREPLIED] "
        + "src=10.77.1.2 dst=10.77.1.1 packets=0 bytes=0 mark=0 use=1", "unknown", [102_000, 0], [0, 0]
    ),
    (
      "ipv6     10 icmpv6   58 29 src=fd77::1 dst=fd77::2 type=128 code=0 id=17162 packets=100 bytes=104800 "
        + "src=fd77::2 dst=fd77::1 type=129 code=0 id=17162 packets=100 bytes=104800 mark=0 use=1", "icmpv6",
      [104_800, 104_800], [17162, 0]
    ),
    (
      "ipv4     2 udp      17 29 src=127.0.0.1 dst=127.0.0.1 sport=5 dport=6 [UNREPLIED] src=127.0.0.1 "
        + "dst=127.0.0.1 sport=6 dport=5 mark=0 use=1", "udp", [nil, nil], [5, 6]
    ),
  ]

  @Test(arguments: entries)
  func `a line of conntrack is read`(line: String, transport: String, bytes: [UInt64?], ports: [Int]) throws {
    let entry = try ConntrackEntry(line)
    #expect(entry.transport == transport)
    #expect([entry.original.bytes, entry.reply.bytes] == bytes)
    #expect([entry.original.sourcePort, entry.original.destinationPort] == ports)
  }

  @Test(arguments: ["", "nonsense", "ipv4 2 tcp six 5 src=1", "ipv4 2 tcp 6 5 src=1 dst=2 mark=0"])
  func `any other line is refused`(line: String) {
    #expect(throws: LabError.self) { try ConntrackEntry(line) }
  }

  /// Source and reply source of a flow of 100 bytes out and 7 back, and what host "a" with address "b" sees.
  @Test(arguments: [
    ("a", "x", HostView(received: 7, sent: 100)), ("x", "a", HostView(received: 100, sent: 7)),
    ("a", "b", HostView(received: 107, sent: 107)), ("x", "y", HostView(received: 107, sent: 107)),
  ])
  func `a host's view of a flow`(source: String, answerer: String, view: HostView) throws {
    let entry = try ConntrackEntry(
      "ipv4 2 udp 17 29 src=\(source) dst=z sport=5 dport=6 packets=1 bytes=100 src=\(answerer) dst=z sport=6 "
        + "dport=5 packets=1 bytes=7 mark=0 use=1")
    #expect(HostView([entry], addresses: ["a", "b"]) == view)
    #expect(
      HostView([entry, entry], addresses: ["a", "b"])
        == HostView(received: 2 * view.received, sent: 2 * view.sent))
  }

  @Test func `a child's end, input and outputs`() async throws {
    let child = try ChildProcess(["sh", "-c", "echo begun; read -r word; echo $word; echo oops >&2; exit 3"])
    try await child.output.first("begun") { $0 == "begun" ? () : nil }
    #expect(child.status == nil)
    child.write("hello\n")
    #expect(try await child.ended() == .exited(3))
    #expect(child.output.lines == ["begun", "hello"])
    #expect(child.errors.text == "oops\n")
    let killed = try ChildProcess(["sleep", "3600"])
    #expect(try await killed.stop(SIGKILL) == .signalled(SIGKILL))
    #expect(throws: LabError.self) { try ChildProcess(["/nonexistent/program"]) }
  }

  @Test func `what a child leaves behind ends with its owner`() async throws {
    var child: ChildProcess? = try ChildProcess(["sh", "-c", "sleep 3600 & echo $!; exit 0"])
    let orphan = try await child?.output.first("a pid") { pid_t($0) }
    #expect(try await child?.ended() == .exited(0))
    let pid = try #require(orphan)
    #expect(kill(pid, 0) == 0)
    child = nil
    // A zombie until init has seen it.
    try await eventually("its end") {
      let state = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)
      return state.map { $0.contains(") Z") } ?? true ? () : nil
    }
  }

  @Test(.needs(.namespaces)) func `a namespace goes with its owner, a killed run's with the next one`()
    async throws
  {
    let stale = "bwlab-4194304-1"
    // Another suite's new namespace may remove it before ip(8) is done.
    _ = try? await run("ip netns add \(stale)")
    var namespace: NetworkNamespace? = try await NetworkNamespace()
    let name = try #require(namespace?.name)
    #expect(!FileManager.default.fileExists(atPath: "/run/netns/\(stale)"))
    #expect(FileManager.default.fileExists(atPath: "/run/netns/\(name)"))
    let sleeper = try namespace?.start(["sh", "-c", "echo inside; exec sleep 3600"])
    try await sleeper?.output.first("a start") { $0 == "inside" ? () : nil }
    namespace = nil
    #expect(!FileManager.default.fileExists(atPath: "/run/netns/\(name)"))
    #expect(try await sleeper?.ended() == .signalled(SIGKILL))
  }
}
