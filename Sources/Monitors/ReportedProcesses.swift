import Model

/// The processes that readings named, until it was reported that they ended.
struct ReportedProcesses: Sendable {
  private var living: Set<ProcessIdentity> = []
  /// Those that had ended before their bytes were seen, since the last measurement.
  private var ended: [ProcessIdentity] = []
  /// Those that ended between the last two measurements.
  private var leaving: [ProcessIdentity] = []

  /// Notes that a reading names a process. Where it does not live its last bytes came after its end: it is marked with
  /// the next measurement.
  mutating func add(_ process: ProcessIdentity, lives: Bool) {
    if lives { living.insert(process) } else { ended.append(process) }
  }

  /// Whether a reading named it, and it lived.
  func contains(_ process: ProcessIdentity) -> Bool { living.contains(process) }

  /// Takes the processes that ended since the last measurement. Returns those to report as ended with this one, and those
  /// that had ended when the last one was made.
  mutating func take(exited: [ProcessIdentity]) -> (exited: [ProcessIdentity], retired: [ProcessIdentity]) {
    let late = ended
    let retired = leaving + late
    ended = []
    leaving = exited.filter { living.remove($0) != nil }
    return (late + leaving, retired)
  }
}
