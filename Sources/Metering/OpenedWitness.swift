import Diagnosis
public import Model
import Netfilter
import Ownership
import SystemRuntime

/// The BPF program that reports who moves what, as far as it was wanted and can be had. Open it before capabilities
/// are dropped: it needs CAP_BPF and CAP_PERFMON, and once it is loaded none.
public struct OpenedWitness: Sendable {
  /// Reports who used which sockets; nil where that is looked up.
  public let witness: WitnessListener?
  private let warnings: [Warning]

  /// None, which nobody asked for.
  public static let none = OpenedWitness(witness: nil, warnings: [])

  private init(witness: WitnessListener?, warnings: [Warning]) {
    self.witness = witness
    self.warnings = warnings
  }

  /// Opens what `options` ask for. Errors: `withoutWitness` where what was asked for by name cannot be had.
  public init(_ options: SourceOptions) throws(KernelError) {
    var failures: [WitnessError] = []
    witness = try WitnessListener.open(options.witness, failures: &failures)
    // The second tier's reason is mostly the same as the first's.
    guard witness == nil, let failure = failures.last else {
      warnings = witness?.knowsOlderSockets == false ? [Self.unreadOlderSockets] : []
      return
    }
    if options.witness != .auto {
      throw .withoutWitness("\(failure)", isPermission: failure == .notPermitted)
    }
    warnings = [
      Warning(
        code: "looked_up",
        text:
          "who moves what is looked up after the fact, so short-lived connections may have no name: \(failure)"
      )
    ]
  }

  private static let unreadOlderSockets = Warning(
    code: "older_sockets",
    text:
      "not all TCP sockets that were there at the start could be read, so `payload` lacks the first bytes of each "
      + "connection: run `modprobe -a inet_diag tcp_diag`.")

  /// `others`, and why there is no program though one was wanted. Whoever lacks capabilities, or cannot see processes,
  /// gets one line that says so.
  public func warnings(after others: [Warning]) -> [Warning] {
    let isReported = others.contains { Preflight.denialCodes.contains($0.code) }
    return others + (isReported ? [] : warnings)
  }
}
