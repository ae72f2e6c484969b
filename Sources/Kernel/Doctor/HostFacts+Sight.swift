import Model

/// What sockets, processes and namespaces can be read.
extension HostFacts {
  var diagnostics: Finding {
    let warning = Warning.withoutDiagnostics(withoutDiagnostics)
    return Finding("sockets", warning.map { .problem($0.text) } ?? .ok("told one by one"))
  }

  var capabilities: Finding {
    let names = missing.names.joined(separator: ", ")
    return Finding(
      "capabilities",
      missing.isEmpty
        ? .ok("all that are needed")
        : .problem("\(names) are missing: run as root, or `\(KernelError.setcap)`."))
  }

  var visibility: Finding {
    if let hidden { return Finding("processes", .problem(hidden.text)) }
    guard let denied else { return Finding("processes", .ok("all \(processes) can be read")) }
    return Finding("processes", denied.isMendable ? .problem(denied.sentence) : .note(denied.sentence))
  }

  /// Whether the kernel tells who moves what.
  var seen: Finding? {
    guard let witness else { return nil }
    if witness.choice == .lookup {
      return Finding("witness", .ok("sockets are looked up, as --witness lookup asks"))
    }
    guard let failure = witness.failures.last else {
      return Finding(
        "witness",
        .ok("\(witness.tier?.name ?? WitnessChoice.lookup.rawValue): the kernel tells who moves what"))
    }
    // What is missing, or hidden, has its line already.
    if failure == .notPermitted && !missing.isEmpty || failure == .otherNumbers && hidden != nil {
      return nil
    }
    let loss =
      witness.tier == nil
      ? "sockets are looked up, so that short-lived connections may have no name"
      : "\(WitnessTier.packets.name) is used, which does not divide the bytes of a socket that several processes use"
    return Finding(
      "witness", failure.isMendable ? .problem("\(loss): \(failure)") : .note("\(loss): \(failure)"))
  }

  var news: Finding {
    let loss = "so that processes that live a few milliseconds may have no name"
    guard newsError != nil else {
      return Finding("news of processes", .ok("the kernel reports their starts and ends"))
    }
    return Finding(
      "news of processes",
      missing.contains(.network)
        ? .problem(
          "the kernel reports no starts and ends of processes without CAP_NET_ADMIN, \(loss): run as root, or "
            + "`\(KernelError.setcap)`.")
        : .note(
          "the kernel reports starts and ends of processes only in the host's network and pid namespaces, \(loss): "
            + "in a container nothing is to be done, run on the host to have them."))
  }

  var namespaces: Finding? {
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
