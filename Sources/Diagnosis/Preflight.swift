import Model
import Netfilter
import Ownership
import SystemRuntime

/// The questions asked before the first measurement, so that a zero is never silent.
public enum Preflight {
  /// What to do where nothing is tracked.
  public static let trackingAdvice = Warning.trackingAdvice

  /// The warnings that say already why some processes may not be read.
  public static let denialCodes: Set<String> = ["missing_capabilities", "processes_hidden"]

  /// Asks what stands in the way of right numbers in this network namespace and for this process.
  ///
  /// Returns what the administrator should know; nothing of an empty table if tracking was just turned on
  /// (`isTrackingOurs`). With a witness (`isWitnessed`) payload is counted where the kernel counts nothing. Whether the
  /// table may be read at all is asked by opening it. Errors, without a witness: `unsupported` where the kernel tracks
  /// nothing, `accountingOff`.
  public static func check(isTrackingOurs: Bool, isWitnessed: Bool) throws(KernelError) -> [Warning] {
    var warnings: [Warning] = []
    if let isAccounting = ConntrackSettings.isAccounting(), let count = ConntrackSettings.count() {
      if !isAccounting {
        guard isWitnessed else { throw .accountingOff }
        warnings.append(.uncountedBytes)
      } else if count == 0 && !isTrackingOurs {
        warnings.append(isWitnessed ? .untrackedBytes : .emptyTable)
      }
    } else {
      let missing = KernelError.unsupported("netfilter's connection table")
      guard isWitnessed else { throw missing }
      warnings.append(.withoutTable(missing))
    }
    if let warning = Warning.withoutDiagnostics(SocketDiagnostics.missing()) { warnings.append(warning) }
    var processes = try ProcessTable()
    let missing = Capabilities.naming.subtracting(.effective).names
    if let hidden = processes.accessWarning() {
      warnings.append(hidden)
    } else if !missing.isEmpty {
      warnings.append(.missingCapabilities(missing))
    }
    return warnings
  }
}

extension Warning {
  fileprivate static let emptyTable = Warning(
    code: "tracking_off",
    text: "the connection table is empty: if something moves on this host, the kernel does not track it. "
      + trackingAdvice)

  // What is counted instead, and what tracking would add.
  private static let payloadOnly =
    "rows have the payload that processes move, without headers, and nothing of what is forwarded"

  fileprivate static let untrackedBytes = Warning(
    code: "tracking_off",
    text:
      "the connection table is empty: if something moves on this host, the kernel does not track it. Then \(payloadOnly): "
      + "--enable-tracking counts whole packets.")

  fileprivate static let uncountedBytes = Warning(
    code: "accounting_off",
    text:
      "the kernel does not count the bytes of connections (net.netfilter.nf_conntrack_acct is 0), so \(payloadOnly): "
      + "--enable-tracking counts whole packets.")

  fileprivate static func withoutTable(_ missing: KernelError) -> Warning {
    Warning(
      code: "no_table", text: "\(missing) Until that is done and this program started again, \(payloadOnly).")
  }

  static let trackingAdvice =
    "Start with --enable-tracking, or add a rule that needs tracking: `nft add table inet track; nft add "
    + "chain inet track out '{ type filter hook output priority 0; }'; nft add rule inet track out ct state new`."

  fileprivate static func missingCapabilities(_ names: [String]) -> Warning {
    Warning(
      code: "missing_capabilities",
      text:
        "other users' processes cannot be named without \(names.joined(separator: ", ")): "
        + "\(KernelError.privilegeAdvice(names)).")
  }

  /// The code of `tableNearlyFull`.
  public static let tableFullCode = "table_full"

  /// What to say when the table is so full that the kernel drops or forgets connections; nil while it is not.
  ///
  /// `listed` entries are in a dump of it, `counted` against the limit: more where some have ended. Of these `kept`
  /// wait for a listener; nil where that is not known.
  public static func tableNearlyFull(listed: Int, counted: Int?, kept: Int? = nil, limit: Int) -> Warning? {
    let count = max(listed, counted ?? 0)
    guard limit > 0, count >= limit - limit / 20 else { return nil }
    let fact =
      "the connection table holds \(count) of \(limit) entries, so the kernel drops or forgets connections"
    let raise = "`sysctl -w net.netfilter.nf_conntrack_max=\(limit * 2)`"
    let ended = count - listed
    // They may also have run out of time and wait for the kernel to take them away.
    guard ended > listed, kept.map({ $0 > ended / 2 }) ?? true else {
      return Warning(code: tableFullCode, text: "\(fact): raise it with \(raise).")
    }
    return Warning(
      code: tableFullCode,
      text: kept.map { "\(fact). \(listed) of them live, \($0) have ended and are \(keptAdvice)" }
        ?? "\(fact). \(listed) of them live, the others have ended and wait to be taken away, or are kept for \(listener): "
        + "end such a program (\(search)), else raise the limit with \(raise).")
  }

  static let keptAdvice = "kept for \(listener): continue or end it (\(search))."

  private static let listener = "a program that listens to the table and is stopped, or hangs"
  private static let search = "`ps -eo stat,pid,args` shows it with T"
}
