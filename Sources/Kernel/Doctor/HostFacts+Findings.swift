import Model

extension HostFacts {
  /// A finding for each thing that was looked at; what could not be looked at has none.
  public var findings: [Finding] {
    [
      reading, accounting, tracking, room, lost, final, uncounted, offload, bridging, diagnostics,
      capabilities,
      visibility,
      news, namespaces,
    ].compactMap(\.self)
  }

  private var counts: Table? { try? table.get() }

  private var reading: Finding {
    Finding(
      "connection table",
      {
        switch table {
        case .success(let table): .ok("\(table.entries) entries")
        case .failure(let error): .problem("\(error)")
        }
      }())
  }

  private var accounting: Finding? {
    isAccounting.map {
      Finding("accounting", $0 ? .ok("bytes are counted") : .problem("\(KernelError.accountingOff)"))
    }
  }

  private var tracking: Finding? {
    guard counts != nil, !probes.isEmpty else { return nil }
    let untracked = probes.filter { !$0.isTracked }.map(\.family).joined(separator: " and ")
    if untracked.isEmpty {
      return Finding("tracking", .ok(probes.map(\.family).joined(separator: " and ")))
    }
    return Finding(
      "tracking",
      .problem(
        "a datagram that was sent over the loopback by \(untracked) is not in the table, so connections of that kind "
          + "are not tracked, or a `notrack` rule leaves them out. \(Warning.trackingAdvice)"))
  }

  private var room: Finding? {
    guard let entries = counts?.entries, let limit else { return nil }
    let warning = Warning.tableNearlyFull(count: entries, limit: limit)
    return Finding("room", warning.map { .problem($0.text) } ?? .ok("for \(limit) entries"))
  }

  private var lost: Finding? {
    losses.map { losses in
      Finding(
        "lost entries",
        losses.isNone
          ? .ok("none")
          : .problem(
            "since this host or container was started \(losses.dropped) new connections were dropped, "
              + "\(losses.early) were forgotten early, both for lack of room, and \(losses.refused) collided with "
              + "others: raise net.netfilter.nf_conntrack_max with `sysctl -w`, if these numbers grow."))
    }
  }

  private var final: Finding? {
    events.map {
      Finding(
        "events",
        $0 != 0
          ? .ok("the ends of connections are told")
          : .problem(
            "the kernel does not tell of new and ended connections, so that last bytes and short-lived "
              + "processes are missed: run `sysctl -w net.netfilter.nf_conntrack_events=2`."))
    }
  }

  private var uncounted: Finding? {
    guard let count = counts?.uncounted, isAccounting == true else { return nil }
    return Finding(
      "old connections",
      count == 0
        ? .ok("all have counters")
        : .problem(
          "connections older than accounting, which stay uncounted until they are made anew: \(count). Turn it on "
            + "at boot: `echo net.netfilter.nf_conntrack_acct=1 > /etc/sysctl.d/60-bwmon.conf`."))
  }

  private var offload: Finding? {
    guard let count = counts?.offloaded else { return nil }
    return Finding(
      "offload",
      count == 0
        ? .ok("no connection is offloaded")
        : .problem(
          "connections that a flowtable or hardware moves, whose counters may lag or be missing: \(count). Add "
            + "`counter` to the flowtable, or take it away."))
  }

  private var bridging: Finding {
    if bridges.isEmpty { return Finding("bridges", .ok("none")) }
    let names = bridges.joined(separator: ", ")
    return Finding(
      "bridges",
      seesBridges
        ? .ok("netfilter sees what stays on \(names)")
        : .problem(
          "netfilter does not see what moves between two ports of \(names): run `modprobe br_netfilter` and `sysctl -w "
            + "net.bridge.bridge-nf-call-iptables=1 net.bridge.bridge-nf-call-ip6tables=1`."))
  }

  private var diagnostics: Finding {
    let warning = Warning.withoutDiagnostics(withoutDiagnostics)
    return Finding("sockets", warning.map { .problem($0.text) } ?? .ok("told one by one"))
  }

  private var capabilities: Finding {
    let names = missing.names.joined(separator: ", ")
    return Finding(
      "capabilities",
      missing.isEmpty
        ? .ok("all that are needed")
        : .problem("\(names) are missing: run as root, or `\(KernelError.setcap)`."))
  }
}

extension HostFacts {
  private var visibility: Finding {
    if let hidden { return Finding("processes", .problem(hidden.text)) }
    return Finding(
      "processes",
      denied == 0
        ? .ok("all \(processes) can be read")
        : .problem(
          "\(denied) of \(processes) may not be read, so that what they move has no owner: run as root, or "
            + "`\(KernelError.setcap)`; where root may not either, a sandbox or security module forbids it."))
  }

  private var news: Finding {
    Finding(
      "news of processes",
      newsError == nil
        ? .ok("starts and ends are told")
        : .problem(
          "the kernel does not tell of starts and ends here, so that processes that live a few milliseconds may "
            + "have no name: run with CAP_NET_ADMIN in the host's network and pid namespaces."))
  }

  private var namespaces: Finding? {
    // Without seeing where processes are, no other is known.
    guard missing.isDisjoint(with: .naming) else { return nil }
    let verdict: Finding.Verdict =
      switch others.wish {
      case .leftOut: .ok("left out, as --no-namespaces asks")
      case _ where others.known == 0: .ok("no other")
      case .denied:
        .problem(
          "others that are not looked into, so that what their processes move counts as forwarded: "
            + "\(others.known). Run as root, or give CAP_SYS_ADMIN as well.")
      case .read where others.unread > 0:
        .problem(
          "others that could not be looked into, so that what their processes move counts as forwarded: "
            + "\(others.unread) of \(others.known). Run as root, or raise the limit of open files (`ulimit -n`)."
        )
      case .read: .ok("others: \(others.known), all can be looked into")
      }
    return Finding("network namespaces", verdict)
  }
}
