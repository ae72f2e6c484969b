import Aggregation
import INI
import Model

/// What several suites need to write a scenario in a few words.

/// A process by its pid and command line; its arguments are the words.
func process(
  _ pid: Int32, _ commandLine: String, executable: String? = nil, uid: UInt32 = 1000, start: UInt64 = 1,
  ancestors: [String] = []
) -> ProcessDescription {
  ProcessDescription(
    identity: ProcessIdentity(pid: pid, startTime: start), uid: uid, executable: executable,
    arguments: commandLine.hasPrefix("[") ? [] : commandLine.split(separator: " ").map(String.init),
    commandLine: commandLine, ancestors: ancestors)
}

/// What a process moved.
func reading(_ process: ProcessDescription, _ received: UInt64, _ sent: UInt64 = 0) -> Reading {
  Reading(
    owner: .process(process.identity), process: process, usage: Usage(received: received, sent: sent))
}

/// What another owner moved.
func reading(_ owner: Owner, _ received: UInt64, _ sent: UInt64 = 0) -> Reading {
  Reading(owner: owner, usage: Usage(received: received, sent: sent))
}

/// A measurement of readings whose balance is theirs.
func measured(
  _ readings: [Reading], interval: Duration? = .seconds(1), exited: [ProcessDescription] = [],
  hidden: Usage = .zero
) -> Measurement {
  var balance = Balance(attributed: hidden, hidden: hidden)
  for reading in readings { balance.add(reading.usage, of: reading.owner) }
  return Measurement(
    interval: interval, readings: readings, exited: exited.map(\.identity), balance: balance)
}

/// Applications of one rule each, of lines `NAME=REGEX`: the rule of the first is in line 2, of the next in line 4.
func rules(_ lines: String..., autoGroup: Bool = false, inherit: Bool = false) throws -> ApplicationRules {
  let text = lines.map { line in
    let divider = line.firstIndex { $0 == "=" || $0 == ":" } ?? line.endIndex
    return "[\(line[..<divider])]\nrule\(line[divider...])"
  }.joined(separator: "\n")
  return try ApplicationRules(
    try INIFile(name: "group.cfg", bytes: text.utf8), autoGroup: autoGroup, inherit: inherit)
}

let noon = Timestamp(seconds: 43_200)

extension UsageReport {
  /// The row with the given name.
  func row(_ name: String) -> UsageRow? { rows.first { $0.name == name } }

  /// The processes of an application.
  func pids(_ name: String) -> [Int32]? {
    guard case .application(let pids)? = row(name)?.subject else { return nil }
    return pids
  }

  /// All bytes of all rows.
  var sumOfTotals: Usage { rows.map(\.total).reduce(.zero, +) }
  /// All bytes that moved in this interval.
  var sumOfMoved: Usage { rows.map(\.moved).reduce(.zero, +) }
}
