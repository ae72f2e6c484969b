import Diagnosis
import Model
import Netfilter
import Ownership
import SystemRuntime

/// What makes numbers less than they could be, as one measurement found it.
struct Conditions {
  /// What the kernel says of its table.
  var state = ConntrackState()
  /// Connections that live.
  var flows = 0
  /// Of these, without counters.
  var uncounted = 0
  /// Whether a BPF program reports what moves without counters.
  var isWitnessed = false
  /// Whether there was one, which is gone.
  var isWitnessLost = false
  /// Whether some of it moved in the last interval.
  var hasPayload = false
  /// Whether some connection is offloaded.
  var isOffloaded = false
  /// Processes that may not be read.
  var denied: DeniedProcesses?
  /// Network namespaces that could not be looked into.
  var unreadNamespaces = 0
  /// Times that the counters of a connection were zeroed, since start.
  var counterResets: UInt64 = 0
  /// How reading what names the owners went.
  var naming = Naming.notRead
  /// What passed unseen when tracking ended; nil while connections are tracked.
  var untracked: Untracked?
  /// Why the interfaces are not read; nil while they are.
  var interfaces: KernelError?
  /// Why the events of the table are not received; nil while they are.
  var events: KernelError?

  struct Untracked {
    var bytes: UInt64
    var time: Duration
  }

  enum Naming {
    /// Nothing moved, so that not all was asked for.
    case notRead
    case read
    case failed(KernelError)
  }
}

/// What is said of the conditions: each when it begins. Some can end; they are said again when they come again, and of
/// those that last it is said when they end.
struct WarningBoard {
  private var waiting: [Warning]
  private var said: Set<String> = []

  /// Says `warnings` first.
  init(_ warnings: [Warning]) { waiting = warnings }

  /// Returns what is to be said of `conditions`.
  mutating func changes(of conditions: Conditions) -> [Warning] {
    let added = waiting
    waiting = []
    said.formUnion(added.map(\.code))
    if conditions.state.isAccounting == true { said.remove(Warning.accountingOffCode) }
    if conditions.hasRoom { said.remove(Warning.tableFullCode) }
    if case .read = conditions.naming { said.remove(Warning.unreadSocketsCode) }
    var found = [conditions.withoutOwners, conditions.full, conditions.unread].compactMap(\.self)
    // Said already, with the reason.
    if let denied = conditions.denied, said.isDisjoint(with: Preflight.denialCodes) {
      found.append(denied.warning)
    }
    if let warning = conditions.withoutCounters { found.append(warning) }
    if let warning = conditions.withoutEntries { found.append(warning) }
    if conditions.isWitnessLost { found.append(.witnessLost) }
    if conditions.isOffloaded { found.append(.offloaded) }
    if conditions.counterResets > 0 { found.append(.countersReset) }
    return added + found.filter { said.insert($0.code).inserted } + changes(of: conditions.lasting)
  }

  private mutating func changes(of lasting: [Conditions.Lasting]) -> [Warning] {
    lasting.compactMap { condition in
      if let begin = condition.begin { return said.insert(begin.code).inserted ? begin : nil }
      return said.remove(condition.end.code) == nil ? nil : condition.end
    }
  }
}

extension Conditions {
  /// What begins and ends, each with a word; `begin` is nil while it is not so.
  fileprivate struct Lasting {
    var begin: Warning?
    var end: Warning
  }

  fileprivate var lasting: [Lasting] {
    [
      Lasting(
        begin: untracked.map { .trackingEnded($0) },
        end: Warning(
          code: Warning.trackingEndedCode,
          text:
            "connections are tracked again; what moved meanwhile is \(isWitnessed ? "payload or " : "")`untracked`.",
          isResolved: true)),
      Lasting(
        begin: interfaces.map { .unreadInterfaces($0) },
        end: Warning(
          code: Warning.unreadInterfacesCode,
          text: "the interfaces are read again: what they moved meanwhile is counted.", isResolved: true)),
      Lasting(
        begin: events.map { .noEvents($0) },
        end: Warning(
          code: Warning.noEventsCode, text: "the events of the connection table are received again.",
          isResolved: true)),
    ]
  }
}

extension Conditions {
  fileprivate var full: Warning? {
    state.limit.flatMap { .tableNearlyFull(listed: flows, counted: state.count, limit: $0) }
  }

  /// Well below the limit: a table that is now a little above it, now a little below, is one condition.
  fileprivate var hasRoom: Bool {
    state.limit.map { max(flows, state.count ?? 0) < $0 - $0 / 10 } ?? false
  }

  fileprivate var withoutOwners: Warning? {
    if case .failed(let error) = naming { .unreadSockets(error) } else { nil }
  }

  fileprivate var unread: Warning? { unreadNamespaces > 0 ? .unreadNamespaces(unreadNamespaces) : nil }

  /// Flows without counters are older than accounting, or it was turned off under us.
  fileprivate var withoutCounters: Warning? {
    if state.isAccounting == false { return .accountingOff(isWitnessed: isWitnessed) }
    // `witness_lost` says what becomes of them.
    if isWitnessLost { return nil }
    return uncounted > 0 ? .uncounted(uncounted, isWitnessed: isWitnessed) : nil
  }

  /// Processes move what is in no entry, though nothing else was found that says why.
  fileprivate var withoutEntries: Warning? {
    hasPayload && state.isAccounting == true && uncounted == 0 ? .withoutEntries : nil
  }
}

extension Warning {
  fileprivate static func uncounted(_ count: Int, isWitnessed: Bool) -> Warning {
    let instead =
      isWitnessed
      ? "Their rows have the payload that processes move: "
      : "The bytes of TCP come from their sockets, within 0.5 %; other protocols are counted from their next "
        + "connection on: "
    return Warning(
      code: "uncounted",
      text:
        "connections whose packets the kernel does not count: \(count). They began before accounting was turned on. "
        + "\(instead)turn accounting on at boot, with net.netfilter.nf_conntrack_acct=1 in /etc/sysctl.d."
    )
  }

  fileprivate static let accountingOffCode = "accounting_off"

  fileprivate static func accountingOff(isWitnessed: Bool) -> Warning {
    let loss = isWitnessed ? "have rows of payload without headers" : "are not counted"
    return Warning(
      code: accountingOffCode,
      text: "byte accounting was turned off while we measure, so new connections \(loss): run "
        + "`sysctl -w net.netfilter.nf_conntrack_acct=1`.")
  }

  /// With the code of what is said of an empty table at the start: the reason is the same.
  fileprivate static let withoutEntries = Warning(
    code: "tracking_off",
    text:
      "processes move bytes that no entry of the connection table counts. No rule asks for tracking, or a `notrack` rule "
      + "leaves them out. Their rows have payload without headers. \(Preflight.trackingAdvice)")

  fileprivate static let trackingEndedCode = "tracking_ended"

  fileprivate static func trackingEnded(_ passed: Conditions.Untracked) -> Warning {
    Warning(
      code: trackingEndedCode,
      text:
        "the kernel seems to have ceased to track connections: in \(Int(passed.time.inSeconds)) s the interfaces "
        + "moved \(passed.bytes) bytes, none of them in the connection table, which had most before. A rule that asked "
        + "for tracking is gone (`nft flush ruleset`, a firewall that was stopped). \(Preflight.trackingAdvice) The rule "
        + "of --enable-tracking is its program's own and survives a flush, unless --keep-tracking is given.")
  }

  fileprivate static let unreadInterfacesCode = "unread_interfaces"

  fileprivate static func unreadInterfaces(_ error: KernelError) -> Warning {
    Warning(
      code: unreadInterfacesCode,
      text:
        "\(error) Flows are counted as before; `untracked` and `coverage` stand still until the interfaces "
        + "are read again.")
  }

  fileprivate static let noEventsCode = "no_events"

  fileprivate static func noEvents(_ error: KernelError) -> Warning {
    Warning(
      code: noEventsCode,
      text:
        "\(error) The thread that follows the connection table has ended and is started again. Until then "
        + "what a connection moved between the last report and its end is not counted, and short ones have no "
        + "owner.")
  }

  fileprivate static let unreadSocketsCode = "unread_sockets"

  fileprivate static func unreadSockets(_ error: KernelError) -> Warning {
    Warning(code: unreadSocketsCode, text: "\(error) What moved meanwhile may have no owner.")
  }

  fileprivate static func unreadNamespaces(_ count: Int) -> Warning {
    Warning(
      code: "unread_namespaces",
      text: "\(count) network namespaces could not be looked into, so what their processes move counts as "
        + "forwarded: raise the limit of open files (`ulimit -n`), or start with --no-namespaces."
    )
  }

  fileprivate static let witnessLost = Warning(
    code: "witness_lost",
    text:
      "the BPF program that reports who moves what is gone: its descriptors were closed. From now on owners are looked "
      + "up after the fact, so short-lived connections may have no name, and what the connection table does not count "
      + "has no rows. Start the monitor again to load the program.")

  fileprivate static let countersReset = Warning(
    code: "counters_reset",
    text: "another program sets the counters of connections to zero: what they counted between our last look "
      + "and that moment is lost here, and `untracked`. Find it (a job with `conntrack -L -z`), and let it read "
      + "without -z.")

  fileprivate static let offloaded = Warning(
    code: "offloaded",
    text: "some flows are offloaded to a flowtable or to hardware, whose counters may lag or be missing: add "
      + "`counter` to the flowtable (`nft add flowtable .. { hook ingress priority 0; devices = {..}; counter; }`)."
  )
}
