import Glibc
import SystemRuntime
import Lab
import Model
import Testing

@testable import Netfilter
@testable import Ownership

/// The BPF programs in the running kernel, beside a generator that counts its own bytes.
@Suite(.needs(.namespaces), .serialized, .laboratory())
struct WitnessKernelTests {
  static let tiers: [(WitnessTier, Requirement)] = [(.calls, .calls), (.packets, .packets)]

  static let streams = [
    WitnessedKind("tcp-serve --send 70000", "tcp HOST PORT --send 300000 --receive 70000"),
    WitnessedKind("tcp-serve --send 70000 --bind ::", "tcp ::1 PORT --send 300000 --receive 70000"),
    // IPv4 in a socket of IPv6.
    WitnessedKind("tcp-serve --send 7000 --bind ::", "tcp 127.0.0.1 PORT --send 30000 --receive 7000"),
    WitnessedKind(
      "tcp-serve --send 70000 --method sendfile",
      "tcp HOST PORT --send 300000 --receive 70000 --method sendfile"),
    WitnessedKind(
      "tcp-serve --send 70000 --method splice", "tcp HOST PORT --send 300000 --receive 70000 --method splice"),
    WitnessedKind(
      "tcp-serve --send 70000 --method mmsg", "tcp HOST PORT --send 300000 --receive 70000 --method mmsg"),
    WitnessedKind(
      "tcp-serve --send 70000 --method uring", "tcp HOST PORT --send 300000 --receive 70000 --method uring",
      needs: [.uring]),
    WitnessedKind("tcp-serve --send 100", "tcp HOST PORT --send 200 --receive 100 --connections 50"),
    WitnessedKind(
      "tcp-serve --send 100", "tcp HOST PORT --send 200 --receive 100 --connections 50 --parallel"),
  ]
  static let datagrams = [
    WitnessedKind("udp-serve", "udp HOST PORT --count 200 --size 500 --echo"),
    WitnessedKind("udp-serve", "udp HOST PORT --count 200 --size 500 --echo --connected"),
    WitnessedKind("udp-serve --bind ::", "udp ::1 PORT --count 20 --size 64 --echo"),
    WitnessedKind("udp-serve", "udp HOST PORT --count 200 --size 500 --echo --method mmsg"),
    WitnessedKind("udp-serve", "udp HOST PORT --count 20 --size 500 --echo --method uring", needs: [.uring]),
    WitnessedKind("udp-serve", "udp HOST PORT --count 5 --size 40000 --echo"),
  ]

  @Test(arguments: tiers, streams)
  func `each end of a connection has all that it moved`(tier: (WitnessTier, Requirement), kind: WitnessedKind)
    async throws
  {
    for need in [tier.1] + kind.needs { try await need.orSkip() }
    let topology = try Laboratory.topology
    var lab = try WitnessLab(tier.0, [topology.a, topology.b])
    for isRemote in kind.client.contains("HOST") ? [false, true] : [false] {
      var (expected, found): ([Int32: Usage], [Int32: Usage])
      var lost: UInt64
      repeat {
        lost = lab.ringLosses
        expected = try await kind.run(in: topology, isRemote: isRemote)
        found = try await lab.usages(of: expected)
        // The ring holds all of the host until it is read here: others' records may have filled it.
      } while found != expected && lab.ringLosses > lost
      #expect(found == expected, "remote: \(isRemote)")
      for pid in expected.keys {
        #expect(lab.commandLines[pid]?.contains("traffic tcp") == true)
        let sockets = lab.sockets[pid] ?? []
        #expect(
          !sockets.isEmpty
            && sockets.allSatisfy { $0.transport == .tcp && $0.local.port > 0 && $0.remote.port > 0 })
        #expect(sockets.allSatisfy { !$0.isKernel && $0.remote.address.isV4 != kind.client.contains("::1") })
      }
    }
    let (malformed, mismatches) = (lab.malformed, lab.mismatches)
    #expect(malformed == 0 && mismatches == 0)
  }

  @Test(arguments: tiers, datagrams)
  func `each end of datagrams has all that it moved`(tier: (WitnessTier, Requirement), kind: WitnessedKind)
    async throws
  {
    for need in [tier.1] + kind.needs { try await need.orSkip() }
    let topology = try Laboratory.topology
    var lab = try WitnessLab(tier.0, [topology.a, topology.b])
    for isRemote in kind.client.contains("HOST") ? [false, true] : [false] {
      var expected = try await kind.run(in: topology, isRemote: isRemote)
      // Older kernels have nothing that runs where datagrams are received.
      if tier.0 == .packets { expected = expected.mapValues { Usage(sent: $0.sent) } }
      #expect(try await lab.usages(of: expected) == expected, "remote: \(isRemote)")
      for pid in expected.keys {
        let sockets = lab.sockets[pid] ?? []
        #expect(!sockets.isEmpty && sockets.allSatisfy { $0.transport == .udp && $0.local.port > 0 })
      }
    }
  }

  @Test(
    arguments: tiers,
    [
      "ping HOST --count 20 --size 500", "ping HOST --count 20 --size 500 --raw",
      "raw HOST --protocol 253 --count 20 --size 300",
    ])
  func `pings and raw packets are their senders'`(tier: (WitnessTier, Requirement), line: String) async throws
  {
    try await tier.1.orSkip()
    let topology = try Laboratory.topology
    var lab = try WitnessLab(tier.0, [topology.a])
    let client = try Traffic(line.replacing("HOST", with: "10.77.1.2"), in: topology.a)
    let count = try await client.counted()
    try await client.finish()
    // What comes back is more for a raw socket than for a ping socket: the header, and what others are answered.
    #expect(try await lab.usage(of: count.pid) { $0.sent == count.sent }.sent == count.sent)
  }

  @Test(.needs(.calls)) func `frames of a packet socket are their sender's`() async throws {
    let topology = try Laboratory.topology
    var lab = try WitnessLab(.calls, [topology.a])
    let sender = try Traffic("packet --interface eth0 --count 100 --size 1000", in: topology.a)
    let count = try await sender.counted()
    try await sender.finish()
    // Without Ethernet's header.
    let expected = [count.pid: Usage(sent: count.sent - 14 * count.datagrams)]
    #expect(try await lab.usages(of: expected) == expected)
    let sockets = lab.sockets[count.pid] ?? []
    #expect(!sockets.isEmpty && sockets.allSatisfy { $0.family == UInt16(AF_PACKET) })
  }

  @Test(arguments: tiers) func `each worker of a server has its own connections`(
    tier: (WitnessTier, Requirement)
  ) async throws {
    try await tier.1.orSkip()
    let topology = try Laboratory.topology
    var lab = try WitnessLab(tier.0, [topology.a])
    let server = try Traffic("tcp-serve --workers 4 --prefork --send 5000", in: topology.a)
    let port = try await server.ready()
    let client = try Traffic(
      "tcp 127.0.0.1 \(port) --send 100 --receive 5000 --connections 200", in: topology.a)
    let count = try await client.counted()
    try await client.finish()
    try await server.finish()
    let served = try await server.counts(4)
    var expected = [count.pid: count.usage]
    for worker in served where !worker.usage.isZero { expected[worker.pid] = worker.usage }
    #expect(expected.count > 1)
    #expect(try await lab.usages(of: expected) == expected)
  }

  @Test(arguments: tiers) func `a connection that changes hands is each one's for what it moved`(
    tier: (WitnessTier, Requirement)
  ) async throws {
    try await tier.1.orSkip()
    let topology = try Laboratory.topology
    var lab = try WitnessLab(tier.0, [topology.a, topology.b])
    let server = try Traffic("tcp-serve", in: topology.b)
    let port = try await server.ready()
    for (line, counts) in [("tcp-fork", 2), ("tcp-pass", 2), ("tcp-pass --keep", 2)] {
      let client = try Traffic("\(line) 10.77.1.2 \(port) --send 70000 --after 30000", in: topology.a)
      let said = try await client.counts(counts)
      let expected = Dictionary(said.map { ($0.pid, $0.usage) }, uniquingKeysWith: +)
      #expect(expected.count == 2 && said.map(\.sent) == [70_000, 30_000], "\(line)")
      if tier.0 == .calls {
        #expect(try await lab.usages(of: expected) == expected, "\(line)")
      } else {
        // The kernel sends on its own what the first has left behind: only the sum is exact.
        let found = try await lab.usages(of: expected) { $0.values.reduce(.zero, +) == Usage(sent: 100_000) }
        #expect(found.values.reduce(.zero, +) == Usage(sent: 100_000), "\(line): \(found)")
      }
    }
    try await server.finish()
  }

  @Test(arguments: tiers) func `who has connected is reported before payload moves`(
    tier: (WitnessTier, Requirement)
  ) async throws {
    try await tier.1.orSkip()
    let topology = try Laboratory.topology
    var lab = try WitnessLab(tier.0, [topology.a])
    let server = try Traffic("tcp-serve", in: topology.b)
    let port = try await server.ready()
    let client = try Traffic("tcp 10.77.1.2 \(port) --hold", in: topology.a)
    _ = try await client.counted()
    lab.settle()
    let sockets = lab.reportedSockets[client.pid] ?? []
    #expect(sockets.count == 1 && sockets.first?.remote.port == UInt16(port))
    #expect(sockets.first?.local.port != 0 && sockets.first?.isClosed == false)
    #expect(lab.usages[client.pid] == nil)
    try await client.finish()
    try await server.finish()
  }

  @Test(arguments: tiers) func `a process that becomes another program in a connection has both names`(
    tier: (WitnessTier, Requirement)
  ) async throws {
    try await tier.1.orSkip()
    let topology = try Laboratory.topology
    var lab = try WitnessLab(tier.0, [topology.a])
    let server = try Traffic("tcp-serve", in: topology.b)
    let port = try await server.ready()
    let client = try Traffic(
      "tcp-exec 10.77.1.2 \(port) --send 70000 --after 30000 --exec \(Program.traffic)", in: topology.a)
    let counts = try await client.counts(2)
    let expected = [client.pid: Usage(sent: 100_000)]
    #expect(counts.map(\.sent) == [70_000, 30_000])
    #expect(try await lab.usages(of: expected) == expected)
    let names = lab.names[client.pid] ?? []
    #expect(
      names.count == 2 && names.first?.contains("tcp-exec") == true
        && names.last?.contains("tcp-resume") == true)
    try await server.finish()
  }

  @Test(arguments: tiers) func `300 processes that live a moment are all named`(
    tier: (WitnessTier, Requirement)
  ) async throws {
    try await tier.1.orSkip()
    let topology = try Laboratory.topology
    var lab = try WitnessLab(tier.0, [topology.a])
    let server = try Traffic("tcp-serve --send 2000", in: topology.a)
    let port = try await server.ready()
    let script =
      "for i in $(seq 300); do \(Program.traffic) tcp 127.0.0.1 \(port) --send 1000 --receive 2000 --note $i & done; wait"
    let clients = try topology.a.start(["sh", "-c", script])
    #expect(try await clients.ended() == .exited(0))
    try await server.finish()
    let served = try await server.counted()
    let expected = Usage(received: 300_000, sent: 600_000)
    #expect(try await lab.usage(of: served.pid) { $0 == expected } == expected)
    let others = lab.usages.filter { $0.key != served.pid }
    #expect(others.count == 300)
    #expect(others.filter { $0.value != Usage(received: 2_000, sent: 1_000) }.isEmpty)
    let notes = Set(others.keys.compactMap { lab.commandLines[$0]?.split(separator: " ").last })
    #expect(notes.count == 300)
  }
}
