import Curl
import Model

/// Decides which report is sent when. One is sent at a time with each configuration.
///
/// A failure that may pass delays all of its configuration, 30 s at first and twice as long each time, up to an hour; one that
/// passes when the server is changed, such as an invalid certificate, for six hours. One that only a change here ends, such as
/// a refused login, stops it until there are new configurations, or a new start. A report that is refused by itself waits
/// alone: for now as long as for a failure that may pass, for good until there are new configurations. Reports of one stream that wait become one. Time is an argument.
struct SpoolSchedule: Sendable {
  /// The pauses after failures.
  struct Pauses: Sendable {
    var first = Duration.seconds(30)
    var longest = Duration.seconds(3600)
    var whileUnusable = Duration.seconds(6 * 3600)

    func pause(after failures: Int) -> Duration {
      min(first * (1 << min(max(failures - 1, 0), 16)), longest)
    }
  }

  /// How it goes with one configuration.
  private struct State: Sendable {
    var sending: String?
    var failures = 0
    /// Nothing is sent until there are new configurations.
    var isStopped = false
    var notBefore: Instant?
    /// What was said of it, and not taken back.
    var said: Set<Complaint> = []
  }

  private enum Complaint: Sendable {
    case failure, refusalForNow, refusal
  }

  /// The most reports that wait.
  static let mostEntries = 256
  /// The most bytes of their texts.
  static let mostBytes = 4 << 20
  /// After so many attempts nothing more is sent to recipients who are refused while others have it.
  static let mostAttemptsForSome = 24

  private let pauses: Pauses
  private var configurations: MailConfigurations
  /// Those of the last `use` alone.
  private var named: MailConfigurations
  private(set) var entries: [MailEntry]
  private var states: [String: State] = [:]

  /// Makes a schedule of what waits already, oldest first.
  init(
    _ entries: [MailEntry] = [], with configurations: MailConfigurations, pauses: Pauses = Pauses()
  ) {
    self.entries = entries
    self.configurations = configurations
    named = configurations
    self.pauses = pauses
  }

  /// True while an attempt is under way.
  var isSending: Bool { states.values.contains { $0.sending != nil } }

  /// Those that cannot be sent: the configuration that they are for is gone, and their section names none.
  var withoutConfiguration: [MailEntry] { entries.filter { configurations.file(for: $0.report) == nil } }

  /// When the next attempt is due; nil when nothing waits that is not under way or behind such a one.
  func due(at now: Instant) -> Instant? {
    entries.compactMap { due($0, now) }.min()
  }

  private func due(_ entry: MailEntry, _ now: Instant) -> Instant? {
    guard !entry.isStopped, let file = configurations.file(for: entry.report) else { return nil }
    let state = states[file] ?? State()
    guard state.sending == nil, !state.isStopped else { return nil }
    return max(entry.notBefore ?? now, state.notBefore ?? now, now)
  }

  private func isSending(_ entry: MailEntry) -> Bool { states.values.contains { $0.sending == entry.name } }

  /// Takes a report; `name` is its file's, later in order than all before. Nil for a `repetition` of what a report that
  /// waits says.
  mutating func add(_ report: MailReport, name: String, repetition: Bool = false) -> Addition? {
    let mergeable = entries.lastIndex {
      $0.report.isOfStream(of: report) && !$0.isSealed && $0.refusals == 0 && !isSending($0)
        && $0.report.recipients == nil
    }
    if let index = mergeable {
      if repetition { return nil }
      if let merged = entries[index].report.merged(with: report) {
        entries[index].report = merged
        let entry = entries[index]
        return Addition(entry: entry, dropped: makeRoom(keeping: entry.name))
      }
    }
    entries.append(MailEntry(name: name, report: report))
    let dropped = makeRoom(keeping: name)
    return Addition(entry: MailEntry(name: name, report: report), dropped: dropped)
  }

  /// Returns a report to send now, if one is due, with all others of its stream that wait; these are no longer there.
  mutating func start(at now: Instant) -> Start? {
    guard let index = entries.firstIndex(where: { due($0, now).map { $0 <= now } ?? false }),
      let file = configurations.file(for: entries[index].report), let configuration = configurations[file]
    else { return nil }
    let absorbed = absorb(into: index)
    states[file, default: State()].sending = entries[index].name
    return Start(entry: entries[index], configuration: configuration, absorbed: absorbed)
  }

  /// Adds to a report what came later of its stream, as far as it is not too long.
  private mutating func absorb(into index: Int) -> [MailEntry] {
    guard !entries[index].isSealed else { return [] }
    var absorbed: [MailEntry] = []
    for later in entries[(index + 1)...] where later.report.isOfStream(of: entries[index].report) {
      guard !later.isSealed, let merged = entries[index].report.merged(with: later.report) else { break }
      entries[index].report = merged
      absorbed.append(later)
    }
    entries.removeAll { entry in absorbed.contains { $0.name == entry.name } }
    return absorbed
  }

  /// Takes how sending the report `name` ended; `outcome` is nil when nobody knows, as the end came first.
  mutating func finish(_ name: String, _ outcome: MailOutcome?, at now: Instant) -> Ending? {
    guard let file = states.first(where: { $0.value.sending == name })?.key,
      let index = entries.firstIndex(where: { $0.name == name }), var state = states[file]
    else { return nil }
    state.sending = nil
    defer { states[file] = state }
    switch outcome {
    case .sent(let refused): return finishSent(index, refused, now, &state)
    case .transient(let why, let mayHaveArrived):
      state.failures += 1
      state.notBefore = now + pauses.pause(after: state.failures)
      if mayHaveArrived {
        // Others come first then: it may be this mail that the server breaks over.
        entries[index].isSealed = true
        entries.append(entries.remove(at: index))
      }
      let text =
        "a mail was not sent\(Self.shown(file)): \(why) It is tried again: see that the mail server is well."
      return keep(name, .failure, "\(text) This is said once until mail is sent.", &state)
    case .permanent(let why):
      state.notBefore = now + pauses.whileUnusable
      let text =
        "a mail was not sent\(Self.shown(file)): \(why) Mail is tried again in six hours, at a restart and at a reload "
        + "of the configuration."
      return keep(name, .failure, "\(text) This is said once until mail is sent.", &state)
    case .denied(let why):
      state.isStopped = true
      // What was said before was of something else, or of other configurations.
      state.said.remove(.failure)
      let text =
        "a mail was not sent\(Self.shown(file)): \(why) It is tried again at a restart and at a reload of the configuration "
        + "(SIGHUP), not before; what comes until then is kept."
      return keep(name, .failure, text, &state)
    case .refused(let why, let mayBeTakenLater):
      return finishRefused(index, why, mayBeTakenLater, now, file, &state)
    case nil:
      entries[index].isSealed = true
      return Ending(entry: entries[index], isDone: false)
    }
  }

  /// Uses others from now on; those of before count for what they have no place for.
  mutating func use(_ new: MailConfigurations) {
    configurations = new.keeping(named)
    named = new
    for file in states.keys { states[file]?.isStopped = false }
    for index in entries.indices { entries[index].isStopped = false }
    restart()
  }

  /// Forgets failures: the next attempt is due at once, but for what is stopped.
  mutating func restart() {
    for file in states.keys {
      states[file]?.failures = 0
      states[file]?.notBefore = nil
    }
    for index in entries.indices { entries[index].notBefore = nil }
  }

  private mutating func finishSent(
    _ index: Int, _ refused: [RefusedRecipient], _ now: Instant, _ state: inout State
  ) -> Ending {
    let (later, never) = (refused.filter(\.mayBeTakenLater), refused.filter { !$0.mayBeTakenLater })
    var warnings: [Warning] = []
    // One that was refused says more of others that are than one that never was.
    let isOver = state.said.contains(.failure) || !state.said.isEmpty && entries[index].refusals > 0
    if isOver {
      warnings.append(Warning(code: "mail_failed", text: "mail is sent again.", isResolved: true))
      state.said = entries[index].refusals > 0 ? [] : state.said.subtracting([.failure])
    }
    (state.failures, state.notBefore) = (0, nil)
    if !never.isEmpty { warnings.append(Self.refusal(of: never)) }
    entries[index].refusals += 1
    guard !later.isEmpty, entries[index].refusals < Self.mostAttemptsForSome else {
      if !later.isEmpty { warnings.append(Self.refusal(of: later)) }
      return Ending(entry: entries.remove(at: index), isDone: true, warnings: warnings)
    }
    entries[index].report.recipients = later.map(\.address)
    entries[index].isSealed = true
    // As long as for a second attempt of all: servers that do not know the sender yet want some minutes.
    entries[index].notBefore = now + pauses.pause(after: 4 + entries[index].refusals)
    return Ending(entry: entries[index], isDone: false, warnings: warnings)
  }

  private static func refusal(of recipients: [RefusedRecipient]) -> Warning {
    let others = recipients.count > 1 ? " and \(recipients.count - 1) others" : ""
    let first = recipients.first
    return Warning(
      code: "mail_refused",
      text:
        "the mail server takes nothing for \(first?.address ?? "")\(others) (\(first?.reply ?? "")): correct mail.to."
    )
  }

  /// The server refused this report; others wait for nothing.
  private mutating func finishRefused(
    _ index: Int, _ why: String, _ mayBeTakenLater: Bool, _ now: Instant, _ file: String,
    _ state: inout State
  ) -> Ending? {
    (state.failures, state.notBefore) = (0, nil)
    entries[index].refusals += 1
    let refusals = entries[index].refusals
    let isForSome = entries[index].report.recipients != nil
    if isForSome, !mayBeTakenLater || refusals >= Self.mostAttemptsForSome {
      // Whoever else it is for has it.
      let text = "a mail was sent, but not to all\(Self.shown(file)): \(why)"
      return Ending(
        entry: entries.remove(at: index), isDone: true, warnings: [Warning(code: "mail_refused", text: text)])
    }
    let name = entries[index].name
    let start =
      "the mail `\(entries[index].report.subject.escapingControlCharacters.shortened(to: 120))` was not sent"
      + "\(Self.shown(file)): \(why)"
    if mayBeTakenLater {
      let shift = isForSome ? 4 : 0
      entries[index].notBefore = now + pauses.pause(after: shift + refusals)
      return keep(
        name, .refusalForNow,
        "\(start) It is tried again; others are sent. This is said once until a refused mail is taken.",
        &state
      )
    }
    (entries[index].isStopped, entries[index].isSealed) = (true, true)
    let text =
      "\(start) It is tried again at a restart and at a reload of the configuration (SIGHUP); others are sent. This is said "
      + "once until a refused mail is taken."
    return keep(name, .refusal, text, &state)
  }

  private func keep(_ name: String, _ complaint: Complaint, _ text: String, _ state: inout State) -> Ending? {
    guard let entry = entries.first(where: { $0.name == name }) else { return nil }
    let isNew = state.said.insert(complaint).inserted
    return Ending(
      entry: entry, isDone: false, warnings: isNew ? [Warning(code: "mail_failed", text: text)] : [])
  }

  /// Which of several configurations is meant.
  private static func shown(_ file: String) -> String {
    file.isEmpty ? "" : " with \(file.escapingControlCharacters.shortened(to: 200))"
  }

  /// Drops the oldest while there are too many, those that were refused first. The report `name` has the newest facts, even if
  /// it waits for long, and stays.
  private mutating func makeRoom(keeping name: String) -> [MailEntry] {
    var dropped: [MailEntry] = []
    var bytes = entries.reduce(0) { $0 + $1.report.body.utf8.count }
    while entries.count > Self.mostEntries || bytes > Self.mostBytes {
      let candidates = entries.indices.filter { entries[$0].name != name && !isSending(entries[$0]) }
      guard let index = candidates.first(where: { entries[$0].refusals > 0 }) ?? candidates.first else {
        break
      }
      bytes -= entries[index].report.body.utf8.count
      dropped.append(entries.remove(at: index))
    }
    return dropped
  }
}
