import Foundation
import Lab
import Testing

/// What a router or a target says of a request is named, and who says it (RFC 792, RFC 1812, RFC 4443).
@Suite(.needs(.tun), .timeLimit(.minutes(10)))
struct ConnVitalsErrorTests {
  /// What a router answers instead of forwarding, and the words for it.
  private static let answers = [
    "v4": [
      ("unreachable 0", "network unreachable"), ("unreachable 1", "host unreachable"),
      ("unreachable 2", "port unreachable"), ("unreachable 3", "port unreachable"),
      ("unreachable 5", "ICMP type 3 code 5"), ("unreachable 6", "network unreachable"),
      ("unreachable 7", "host unreachable"), ("unreachable 9", "prohibited by a filter"),
      ("unreachable 10", "prohibited by a filter"), ("unreachable 11", "network unreachable"),
      ("unreachable 12", "host unreachable"), ("prohibited", "prohibited by a filter"),
    ],
    "v6": [
      ("unreachable 0", "network unreachable"), ("unreachable 1", "prohibited by a filter"),
      ("unreachable 2", "host unreachable"), ("unreachable 3", "host unreachable"),
      ("unreachable 4", "port unreachable"), ("unreachable 5", "prohibited by a filter"),
      ("unreachable 6", "prohibited by a filter"), ("prohibited", "prohibited by a filter"),
      ("too-big 1280", "packet too big, at most 1280 bytes pass"),
    ],
  ]

  @Test(arguments: SocketKind.allCases, ["v4", "v6"])
  func `each message of a router is named, with the router`(kind: SocketKind, family: String) async throws {
    let answers = try #require(Self.answers[family])
    func target(_ index: Int) -> String { family == "v4" ? "10.9.2.\(index + 1)" : "fd09:2::\(index + 1)" }
    func router(_ index: Int) -> String { family == "v4" ? "10.9.1.\(index + 1)" : "fd09:1::\(index + 1)" }
    let scenario = answers.enumerated().map { index, row in
      "[target \(target(index))]\npath = \(router(index))\n[hop \(router(index))]\nanswer = \(row.0)\n"
    }
    let site = try await ProbeSite(scenario.joined())
    try await kind.permit(in: site.host)
    let targets = answers.indices.map(target).joined(separator: " ")
    let events = try await site.host.events("-p 1 --payload-size 1400 --timeout 5 \(targets)")
    let said = Dictionary(uniqueKeysWithValues: events.map { ($0.target, $0) })
    for (index, (answer, words)) in answers.enumerated() {
      let event = try #require(said[target(index)], "\(answer)")
      #expect(event.loss == 100 && event.error == "\(words) (\(router(index)) says)", "\(answer): \(event)")
    }
  }

  /// Of another program's request nothing is said by these, however its router answers.
  @Test(arguments: SocketKind.allCases, ["identifier", "sequence"])
  func `an error about another request is none, and its router no hop`(kind: SocketKind, garbage: String)
    async throws
  {
    let ways = [("10.9.0.5", "10.9.1.1"), ("fd09:2::5", "fd09:1::1")]
    // The quotation ends before what only our requests have.
    let scenario = ways.map {
      "[target \($0)]\npath = \($1)\n[hop \($1)]\ngarbage = 100 \(garbage)\nquote = 8\n"
    }
    let site = try await ProbeSite(scenario.joined())
    try await kind.permit(in: site.host)
    for (target, hop) in ways {
      let trace = try #require(try await site.host.events("-tP --hop-timeout 1 \(target)").first)
      #expect(trace.path == ["*", target] && trace.ending == "reached", "\(trace)")
      try await site.network.set("hop \(hop) answer unreachable 1")
      let ping = try #require(try await site.host.events("-p 2 --timeout 1 \(target)").first)
      #expect(ping.loss == 100 && ping.error == nil, "\(ping)")
      try await site.network.set("hop \(hop) answer normal")
    }
  }

  @Test(arguments: SocketKind.allCases)
  func `where the kernel has no IPv6 at all it is said once, and the others are asked`(
    kind: SocketKind
  ) async throws {
    let host = try await NetworkNamespace()
    try await kind.permit(in: host)
    let folder = try ScratchFolder()
    let source = try folder.write(
      """
      #define _GNU_SOURCE
      #include <dlfcn.h>
      #include <errno.h>
      #include <sys/socket.h>
      int socket(int family, int type, int protocol) {
        if (family == AF_INET6) return errno = EAFNOSUPPORT, -1;
        return ((int (*)(int, int, int))dlsym(RTLD_NEXT, "socket"))(family, type, protocol);
      }

      """, to: "no_ipv6.c")
    let library = "\(folder.path)/no_ipv6.so"
    try await run(["cc", "-shared", "-fPIC", "-Wall", "-Werror", "-o", library, source])
    let monitor = try Monitor(
      "127.0.0.1 ping=50 numpings=1 json=true\n::1 ping=50 numpings=1 json=true\n::2 ping=50 numpings=1 json=true",
      in: host, as: ["env", "LD_PRELOAD=\(library)"])
    try await monitor.record("a ping") { $0.addr == "127.0.0.1" && $0.ping?.loss == 0 }
    for address in ["::1", "::2"] {
      try await monitor.record("a loss") { $0.addr == address && $0.ping?.loss == 100 }
      try await monitor.record("another", from: try monitor.records().count) {
        $0.addr == address && $0.ping?.loss == 100
      }
    }
    #expect(try await monitor.endsWell())
    let said = monitor.process.errors.lines.filter { $0.contains("this host has no IPv6") }
    #expect(said.count == 1, "\(monitor.process.errors.text)")
  }
}
