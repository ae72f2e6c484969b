import Lab
import Model
import SystemRuntime
import Testing

@testable import Netfilter
@testable import Ownership

/// The BPF programs with little room, on a kernel that gives them less, and where they cannot be loaded.
@Suite(.needs(.namespaces), .serialized, .laboratory())
struct WitnessRoomTests {
  private static let tiers = WitnessKernelTests.tiers

  @Test(arguments: tiers) func `a table that is half full has room for everybody`(
    tier: (WitnessTier, Requirement)
  ) async throws {
    try await tier.1.orSkip()
    let topology = try Laboratory.topology
    // The program sees all of the host: in a round of many others' sockets table and ring are fuller than they should be.
    let count = try await eventually("a round with few other sockets") { () async throws -> Int? in
      var witness = try Witness(
        tier.0, room: WitnessRoom(slots: 1_024, ringBytes: 1 << 20, wakeBytes: 1 << 18), at: .now)
      // An answer on each connection: a server that is stopped leaves those alone that it had not accepted.
      let server = try Traffic("tcp-serve --send 10", in: topology.a)
      let port = try await server.ready()
      // Their keys follow one another.
      let client = try Traffic(
        "tcp 127.0.0.1 \(port) --send 10 --receive 10 --connections 240 --parallel", in: topology.a)
      _ = try await client.counted()
      try await client.finish()
      try await server.finish()
      let lost = witness.lost
      witness.tell(at: .now) { _ in }
      let count = witness.ledger.count
      guard lost.ringFull == 0, lost.unplaced == 0 || count < 600 else { return nil }
      #expect(lost == WitnessLosses())
      return count
    }
    #expect(count >= 480)
  }

  @Test(arguments: tiers) func `a ring and a table that are too small lose nothing in silence`(
    tier: (WitnessTier, Requirement)
  ) async throws {
    try await tier.1.orSkip()
    let topology = try Laboratory.topology
    var witness = try Witness(
      tier.0, room: WitnessRoom(slots: 64, ringBytes: 4_096, wakeBytes: 1_024), at: .now)
    let server = try Traffic("tcp-serve", in: topology.a)
    let port = try await server.ready()
    let client = try Traffic("tcp 127.0.0.1 \(port) --send 10 --connections 200 --parallel", in: topology.a)
    _ = try await client.counted()
    try await client.finish()
    try await server.finish()
    let lost = witness.lost
    #expect(lost.ringFull > 0 && lost.unplaced > 0)
    if tier.0 == .calls { #expect(lost.unplacedSent > 0) }
    // What has a slot is still counted, as far as the program is concerned.
    var reported = 0
    witness.tell(at: .now) { reported += $0.usage.isZero ? 0 : 1 }
    #expect(reported > 0)
  }

  /// As before Linux 5.12, where programs get no cookie of a socket.
  @Test(
    .needs(.packets),
    arguments: [
      WitnessedKind("tcp-serve --send 70000", "tcp HOST PORT --send 300000 --receive 70000"),
      WitnessedKind("tcp-serve --send 700 --bind ::", "tcp HOST PORT --send 300 --receive 700"),
      WitnessedKind("tcp-serve --send 100", "tcp HOST PORT --send 200 --receive 100 --connections 50"),
      WitnessedKind("udp-serve", "udp HOST PORT --count 200 --size 500 --echo"),
    ])
  func `without cookies sockets are told apart by their inodes`(
    kind: WitnessedKind
  ) async throws {
    let topology = try Laboratory.topology
    var lab = try WitnessLab(.packets, [topology.a, topology.b], hasCookies: false)
    for isRemote in [false, true] {
      var (expected, found): ([Int32: Usage], [Int32: Usage])
      var lost: UInt64
      repeat {
        lost = lab.ringLosses
        expected = try await kind.run(in: topology, isRemote: isRemote)
        if kind.server.hasPrefix("udp") { expected = expected.mapValues { Usage(sent: $0.sent) } }
        found = try await lab.usages(of: expected)
      } while found != expected && lab.ringLosses > lost
      #expect(found == expected, "remote: \(isRemote)")
    }
    let mismatches = lab.mismatches
    #expect(mismatches == 0)
  }

  /// The kernel refuses a table without slots: after the object was read and before anything is attached.
  @Test(arguments: tiers) func `a program that cannot be loaded says why, and the next one can`(
    tier: (WitnessTier, Requirement)
  ) async throws {
    try await tier.1.orSkip()
    for _ in 0..<3 {
      #expect {
        _ = try Witness(
          tier.0, room: WitnessRoom(slots: 0, ringBytes: 4_096, wakeBytes: 1_024), at: .now
        ).tier
      } throws: { error in
        guard case .refused(tier.0, let log) = error as? WitnessError else { return false }
        return log.contains("slots")
      }
    }
    #expect(try Witness(tier.0, at: .now).tier == tier.0)
  }
}
