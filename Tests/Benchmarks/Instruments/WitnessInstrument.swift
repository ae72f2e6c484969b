import Model
import SystemRuntime
import Netfilter
import Ownership

/// Says what the BPF programs saw since they were loaded: payload of nginx and of ab, and what there was no room for.
struct WitnessInstrument: Instrument {
  private let watch: Watch

  /// Keeps what cannot be copied.
  private final class Watch {
    var witness: Witness
    var usages: [String: Usage] = [:]

    init(_ tier: WitnessTier) throws { witness = try Witness(tier, at: .now) }

    func settle() {
      var movements: [WitnessLedger.Movement] = []
      witness.tell(at: .now) { movements.append($0) }
      for movement in movements {
        let name = witness.ledger.process(movement.user).map { $0.name } ?? "unknown"
        usages[name, default: .zero] += movement.usage
      }
    }
  }

  init(_ tier: WitnessTier) throws { watch = try Watch(tier) }

  mutating func measure() throws -> [(name: String, value: Double)] {
    let cost = Cost.of { watch.settle() }
    let lost = watch.witness.lost
    return [
      ("cpu", cost.cpu), ("lost", Double(lost.unplaced + lost.unreported)),
      ("sent", Double(watch.usages["nginx"]?.sent ?? 0)),
      ("received", Double(watch.usages["ab"]?.received ?? 0)),
    ]
  }
}
