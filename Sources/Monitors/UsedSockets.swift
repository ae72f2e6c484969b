import Model
import Netfilter
import Ownership

/// Who used sockets since the reading before, where a witness reports it.
struct UsedSockets {
  private var witness: (any SocketWitness)?
  private let network: UInt64?
  private let isHost: Bool
  /// Its condition when it was asked last.
  private var condition = WitnessCondition()
  private var hasBegun = false
  /// What it reported last.
  private(set) var report = WitnessReport()
  /// Who used them, by the ends of flows.
  private(set) var index = WitnessIndex()

  /// Asks `witness`; without one nobody is seen.
  init(_ witness: (any SocketWitness)?) {
    self.witness = witness
    (network, isHost) = (witness?.network, witness?.isHost ?? false)
  }

  /// Whether there is a witness.
  var isWitnessed: Bool { witness != nil }
  /// True once the witness is gone.
  private(set) var isLost = false
  /// What was reported one reading ago may still matter.
  private(set) var isSettling = false
  /// Whether frames are reported.
  var seesFrames: Bool { witness?.seesFrames ?? false }

  /// Takes what was used until `now`. Returns what the processes run that used it in this interval or the one before:
  /// payload without an entry is shown one reading later, and needs its process's description then.
  mutating func read(
    at now: Instant, of networks: SocketNetworks
  ) -> [ProcessIdentity: ProcessDescription] {
    let before = report.descriptions
    isSettling = report.isLast
    if isSettling {
      witness = nil
      // Nobody would report that another has the socket now.
      index = WitnessIndex()
    }
    guard let witness else {
      report = WitnessReport()
      return before
    }
    report = witness.report(at: now, of: networks)
    let latest = witness.condition
    // The second tier does not see each call; what processes used before the first reading is not reported.
    let isComplete = hasBegun && witness.seesFrames && latest == condition && !report.isLast
    (condition, hasBegun) = (latest, true)
    if report.isLast { isLost = true }
    index.advance(by: report.uses, network: network, isComplete: isComplete)
    return before.merging(report.descriptions) { $1 }
  }

  /// Where they are on a host with these addresses; `isLast` says that there is no next reading.
  func place(_ local: LocalAddresses, isAccounting: Bool?, isLast: Bool) -> UncountedUses.Place {
    UncountedUses.Place(
      network: network, local: local, isHost: isHost, isAccounting: isAccounting, isLast: isLast)
  }

  /// Adds what was not reported, since start.
  func add(to health: inout Health) {
    health.dropped += condition.unseen
    health.malformed += condition.malformed
  }
}
