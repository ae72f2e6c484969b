import Lab
import SystemRuntime
import Model
import Testing

@testable import Netfilter
@testable import Ownership

/// A witness, and what it has reported of some network namespaces.
struct WitnessLab: ~Copyable {
  private var witness: Witness
  private let networks: Set<UInt64>

  /// Payload of each process, and of each of its sockets' protocols.
  private(set) var usages: [Int32: Usage] = [:]
  private(set) var sockets: [Int32: Set<WitnessedSocket>] = [:]
  private(set) var commandLines: [Int32: String] = [:]
  /// Sockets that each process was reported with, whether or not it moved payload.
  private(set) var reportedSockets: [Int32: Set<WitnessedSocket>] = [:]
  /// All that a process was called, in this order.
  private(set) var names: [Int32: [String]] = [:]

  init(
    _ tier: WitnessTier, _ namespaces: [NetworkNamespace], hasCookies: Bool = KernelRelease.givesCookies
  ) throws {
    witness = try Witness(tier, hasCookies: hasCookies, at: .now)
    networks = Set(namespaces.map(\.inode))
  }

  /// Records of all of the host that had no room.
  var ringLosses: UInt64 { witness.lost.ringFull }
  var malformed: UInt64 { witness.malformed }
  var mismatches: UInt64 { witness.ledger.mismatches }

  mutating func settle() {
    var said: [WitnessedProcess] = []
    var seen: [(user: WitnessUser, socket: WitnessedSocket)] = []
    witness.read(at: .now) { record in
      switch record {
      case .process(let process): said.append(process)
      case .firstUse(_, let user, let socket, _): seen.append((user, socket))
      case .exited: break
      }
    }
    for (user, socket) in seen where networks.contains(socket.network) {
      reportedSockets[user.pid, default: []].insert(socket)
    }
    for process in said { names[process.user.pid, default: []].append(process.text) }
    var movements: [WitnessLedger.Movement] = []
    witness.tell(at: .now) { movements.append($0) }
    for movement in movements where !movement.usage.isZero {
      let socket = movement.socket
      guard networks.contains(socket.network) else { continue }
      let pid = movement.user.pid
      usages[pid, default: .zero] += movement.usage
      sockets[pid, default: []].insert(socket)
      commandLines[pid] = witness.ledger.process(movement.user)?.commandLine?.text
    }
  }

  /// What these processes moved, once it is what is expected; what it is at last, where it never becomes that.
  mutating func usages(of expected: [Int32: Usage]) async throws -> [Int32: Usage] {
    try await usages(of: expected) { $0 == expected }
  }

  /// What one process moved, once it is right.
  mutating func usage(of pid: Int32, _ isRight: (Usage) -> Bool) async throws -> Usage {
    try await usages(of: [pid: .zero]) { isRight($0[pid] ?? .zero) }[pid] ?? .zero
  }

  /// What these processes moved, once it is right.
  mutating func usages(
    of expected: [Int32: Usage], _ isRight: ([Int32: Usage]) -> Bool
  ) async throws -> [Int32: Usage] {
    var found: [Int32: Usage] = [:]
    do {
      try await eventually("what was moved", within: .seconds(20)) {
        settle()
        found = usages.filter { expected[$0.key] != nil }
        return isRight(found) ? () : nil
      }
    } catch is LabError {}
    return found
  }
}

extension Traffic.Count {
  var usage: Usage { Usage(received: received, sent: sent) }
}
