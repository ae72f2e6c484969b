import Model
import Netfilter
import Ownership
import SystemRuntime

/// What sockets, processes and namespaces can be read.
extension HostFacts {
  package var diagnostics: DoctorFinding {
    let warning = Warning.withoutDiagnostics(withoutDiagnostics)
    return DoctorFinding("sockets", warning.map { .problem($0.text) } ?? .ok("reported one by one"))
  }

  package var capabilities: DoctorFinding {
    let names = missing.names.joined(separator: ", ")
    return DoctorFinding(
      "capabilities",
      missing.isEmpty
        ? .ok("all that are needed")
        : .problem("\(names) are missing: \(KernelError.privilegeAdvice(missing.names))."))
  }

  package var processAccess: DoctorFinding {
    if let hidden { return DoctorFinding("processes", .problem(hidden.text)) }
    guard let denied else { return DoctorFinding("processes", .ok("all \(processes) can be read")) }
    return DoctorFinding("processes", denied.isMendable ? .problem(denied.sentence) : .note(denied.sentence))
  }

  /// Whether the kernel reports who moves what.
  package var seen: DoctorFinding? {
    guard let witness else { return nil }
    if witness.choice == .lookup {
      return DoctorFinding("witness", .ok("sockets are looked up, as --witness lookup asks"))
    }
    guard let failure = witness.failures.last else {
      return DoctorFinding(
        "witness",
        .ok("\(witness.tier?.name ?? WitnessChoice.lookup.rawValue): the kernel reports who moves what"))
    }
    // What is missing, or hidden, has its line already.
    if failure == .notPermitted && !missing.isEmpty || failure == .otherNumbers && hidden != nil {
      return nil
    }
    // What is asked for by name is not replaced by another.
    let isFatal = witness.tier == nil && witness.choice != .auto
    let loss =
      if let tier = witness.tier {
        "\(tier.name) is used, which does not divide the bytes of a socket that several processes use, and does not see "
          + "who receives datagrams and who uses packet sockets"
      } else if isFatal {
        "a start with --witness \(witness.choice.rawValue) ends"
      } else {
        "sockets are looked up, so that short-lived connections may have no name"
      }
    let isProblem = isFatal || failure.isMendable
    return DoctorFinding(
      "witness", isProblem ? .problem("\(loss): \(failure)") : .note("\(loss): \(failure)"))
  }

  var processEvents: DoctorFinding {
    let loss = "so that processes that live a few milliseconds may have no name"
    guard eventError != nil else {
      return DoctorFinding("process events", .ok("the kernel reports their starts and ends"))
    }
    return DoctorFinding(
      "process events",
      missing.contains(.network)
        ? .problem(
          "the kernel reports no starts and ends of processes without CAP_NET_ADMIN, \(loss): "
            + "\(KernelError.privilegeAdvice(["CAP_NET_ADMIN"])).")
        : .note(
          "the kernel reports starts and ends of processes only in the host's network and pid namespaces, \(loss): "
            + "in a container nothing is to be done, run on the host to have them."))
  }

  package var namespaces: DoctorFinding? {
    // Without seeing where processes are, no other is known.
    guard missing.isDisjoint(with: .naming) else { return nil }
    let verdict: DoctorFinding.Verdict =
      switch others.wish {
      case .leftOut: .ok("left out, as --no-namespaces asks")
      case _ where others.known == 0: .ok("no other")
      case .denied:
        .problem(
          "others that are not looked into, so that what their processes move counts as forwarded: "
            + "\(others.known). Give CAP_SYS_ADMIN as well, or start with --no-namespaces.")
      case .read where others.unread > 0:
        .problem(
          "others that could not be looked into, so that what their processes move counts as forwarded: "
            + "\(others.unread) of \(others.known). Raise the limit of open files (`ulimit -n`), or start with "
            + "--no-namespaces."
        )
      case .read: .ok("others: \(others.known), all can be looked into")
      }
    return DoctorFinding("network namespaces", verdict)
  }
}
