import Foundation
import Lab
import Testing

/// The sample scenarios, which other tests may take as they are.
@Suite(.needs(.tun), .timeLimit(.minutes(10)))
struct SampleTests {
  static func sample(_ name: String) throws -> String {
    let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures")
    return try String(contentsOf: folder.appending(path: name), encoding: .utf8)
  }

  @Test func `a long path is traced to its end`() async throws {
    let host = try await NetworkNamespace()
    let network = try await FakeNetwork(try Self.sample("long-path.ini"), in: host)
    let text = try await host.run("traceroute -n -q 1 -w 60 10.9.0.5")
    #expect(PathTests.hops(text) == (1...4).map { "10.9.1.\($0)" } + ["10.9.0.5"], "\(text)")
    let times = Site.milliseconds(text)
    #expect(zip(times, [60, 120, 180, 240, 300]).allSatisfy { $0 >= $1 } && times.count == 5, "\(text)")
    try await network.stop()
  }

  @Test func `of two paths one is limited, and the target loses nothing`() async throws {
    let host = try await NetworkNamespace()
    let network = try await FakeNetwork(try Self.sample("two-paths.ini"), in: host)
    let near = try await Probes.answers("udp 10.9.0.5 64 1", in: host, of: network)
    let whole = try await Probes.answers("udp 10.9.0.5 64", in: host, of: network)
    #expect(whole.count == 64)
    let counters = try await network.stop()
    let (limited, free) = try (#require(counters.hops["10.9.1.1"]), #require(counters.hops["10.9.1.3"]))
    #expect(limited.received > 0 && free.received > 0 && limited.received + free.received == 64)
    #expect(free.answered == free.received && limited.sum == limited.received)
    #expect(near.count == limited.answered + free.answered)
    #expect(limited.forwarded > 0 && free.forwarded > 0 && limited.forwarded + free.forwarded == 64)
  }
}
