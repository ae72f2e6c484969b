import Model
import Netfilter
import SystemRuntime

extension HostFacts {
  /// A finding for each thing that was looked at; what could not be looked at has none.
  public var findings: [DoctorFinding] {
    [
      reading, accounting, tracking, room, ended, lost, final, priority, uncounted, offload, bridging,
      diagnostics,
      capabilities,
      processAccess,
      seen, processEvents, namespaces,
    ].compactMap(\.self)
  }

  private var counts: Table? { try? table.get() }

  private var reading: DoctorFinding {
    DoctorFinding(
      "connection table",
      {
        switch table {
        case .success(let table): .ok("\(table.entries) entries")
        case .failure(let error): .problem("\(error)")
        }
      }())
  }

  private var accounting: DoctorFinding? {
    isAccounting.map {
      let instead = witness?.tier == nil ? "" : " Until then rows have the payload that processes move."
      return DoctorFinding(
        "accounting", $0 ? .ok("bytes are counted") : .problem("\(KernelError.accountingOff)\(instead)"))
    }
  }

  private var tracking: DoctorFinding? {
    guard counts != nil, !probes.isEmpty else { return nil }
    let untracked = probes.filter { !$0.isTracked }.map(\.family).joined(separator: " and ")
    if untracked.isEmpty {
      return DoctorFinding("tracking", .ok(probes.map(\.family).joined(separator: " and ")))
    }
    return DoctorFinding(
      "tracking",
      .problem(
        "a datagram that was sent over the loopback by \(untracked) is not in the table, so connections of that kind "
          + "are not tracked, or a `notrack` rule leaves them out. \(Warning.trackingAdvice)"))
  }

  private var room: DoctorFinding? {
    guard counts != nil, let limit else { return nil }
    return DoctorFinding("room", full.map { .problem($0.text) } ?? .ok("for \(limit) entries"))
  }

  /// Nil while there is room.
  private var full: Warning? {
    guard let entries = counts?.entries, let limit else { return nil }
    return .tableNearlyFull(listed: entries, counted: count, kept: kept, limit: limit)
  }

  private var ended: DoctorFinding? {
    guard let entries = counts?.entries, let kept else { return nil }
    // Some wait for a moment on a busy host.
    let areMany = kept >= max(100, entries / 10)
    return DoctorFinding(
      "ended entries",
      areMany
        ? .problem(
          "\(kept) that are in no list count against nf_conntrack_max, beside \(entries) that live: they are "
            + Warning.keptAdvice)
        : .ok("none is kept for long"))
  }

  /// Counted since boot: old numbers are no fault of now.
  private var lost: DoctorFinding? {
    losses.map { losses in
      let numbers =
        "since this host or container was started \(losses.dropped) new connections were dropped, "
        + "\(losses.early) were forgotten early, both for lack of room, and \(losses.refused) collided with others: "
      if losses.isNone { return DoctorFinding("lost entries", .ok("none")) }
      return DoctorFinding(
        "lost entries",
        full == nil
          ? .note(numbers + "nothing is to be done unless these numbers grow.")
          : .problem(numbers + "see to the room in the table."))
    }
  }

  private var final: DoctorFinding? {
    guard counts != nil else { return nil }
    if hasEndEvents == false {
      return DoctorFinding(
        "events",
        .problem(
          "/proc does not report new and ended connections, so that last bytes and short-lived processes are missed: "
            + "start with --source netlink; where that is refused, \(KernelError.privilegeAdvice(["CAP_NET_ADMIN"]))."
        ))
    }
    return events.map {
      let verdict: DoctorFinding.Verdict =
        switch $0 {
        case 0:
          .problem(
            "the kernel does not report new and ended connections, so that last bytes and short-lived "
              + "processes are missed: run `sysctl -w net.netfilter.nf_conntrack_events=2`.")
        case 2:
          .ok(
            "the ends of connections are reported. Those of connections that are older than this program may be missing, "
              + "and with them their last bytes: set net.netfilter.nf_conntrack_events=1 at boot to have them."
          )
        default: .ok("the ends of connections are reported")
        }
      return DoctorFinding("events", verdict)
    }
  }

  private var priority: DoctorFinding? {
    guard counts != nil, hasEndEvents == true, let mayComeFirst else { return nil }
    return DoctorFinding(
      "priority",
      mayComeFirst
        ? .ok("new connections are looked at before other programs go on")
        : .note(
          "nobody lets this program run before others, so that connections that live for less than a millisecond are named "
            + "less often: start it as root with CAP_SYS_NICE or CAP_SYS_RESOURCE, or as a service with "
            + "`LimitRTPRIO=1`."))
  }

  // Where the bytes of connections without counters come from.
  private static let bySockets =
    "The bytes of TCP come from their sockets, within 0.5 %; other protocols are counted from their next connection on."
  private static let byWitness = "Their rows have the payload that processes move."

  private var uncounted: DoctorFinding? {
    guard let count = counts?.uncounted, isAccounting == true else { return nil }
    return DoctorFinding(
      "old connections",
      count == 0
        ? .ok("all have counters")
        : .problem(
          "connections older than accounting: \(count). \(witness?.tier == nil ? Self.bySockets : Self.byWitness) Turn accounting on at boot: `echo net.netfilter.nf_conntrack_acct=1 > /etc/sysctl.d/60-bwmon.conf`."
        ))
  }

  private var offload: DoctorFinding? {
    guard let count = counts?.offloaded else { return nil }
    return DoctorFinding(
      "offload",
      count == 0
        ? .ok("no connection is offloaded")
        : .problem(
          "connections that a flowtable or hardware moves, whose counters may lag or be missing: \(count). Add "
            + "`counter` to the flowtable, or take it away."))
  }

  private var bridging: DoctorFinding? {
    guard let bridges, let seesBridges else { return nil }
    if bridges.isEmpty { return DoctorFinding("bridges", .ok("none")) }
    let names = bridges.joined(separator: ", ")
    return DoctorFinding(
      "bridges",
      seesBridges
        ? .ok("netfilter sees what stays on \(names)")
        : .problem(
          "netfilter does not see what moves between two ports of \(names): run `modprobe br_netfilter` and `sysctl -w "
            + "net.bridge.bridge-nf-call-iptables=1 net.bridge.bridge-nf-call-ip6tables=1`."))
  }
}
