import Model
import Netfilter
import Ownership

/// Who used sockets since the reading before, where a witness reports it.
struct UsedSockets {
  private let witness: (any SocketWitness)?
  /// What it reported last.
  private(set) var report = WitnessReport()
  /// Who used them, by the ends of flows.
  private(set) var index = WitnessIndex()

  /// Asks `witness`; without one nobody is seen.
  init(_ witness: (any SocketWitness)?) { self.witness = witness }

  /// Whether there is a witness.
  var isWitnessed: Bool { witness != nil }
  /// Whether frames are reported.
  var seesFrames: Bool { witness?.seesFrames ?? false }

  /// Takes what was used until `now`. Returns what the processes run that used it in this interval or the one before:
  /// payload without an entry is shown one reading later, and needs its process's description then.
  mutating func read(
    at now: Instant, of networks: SocketNetworks
  ) -> [ProcessIdentity: ProcessDescription] {
    guard let witness else { return [:] }
    let before = report.descriptions
    report = witness.report(at: now, of: networks)
    index.advance(by: report.uses, network: witness.network)
    return before.merging(report.descriptions) { $1 }
  }

  /// Where they are on a host with these addresses; `isLast` says that there is no next reading.
  func place(_ local: LocalAddresses, isAccounting: Bool?, isLast: Bool) -> UncountedUses.Place {
    UncountedUses.Place(
      network: witness?.network, local: local, isHost: witness?.isHost ?? false, isAccounting: isAccounting,
      isLast: isLast)
  }

  /// Adds what was not reported, since start.
  func add(to health: inout Health) {
    guard let condition = witness?.condition else { return }
    health.dropped += condition.unseen
    health.malformed += condition.malformed
  }
}
