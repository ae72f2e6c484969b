import Curl
import Model
import SystemPackage

/// The schedule and the files together: what one decides, the other writes down.
struct Spool {
  private var files: SpoolFiles<MailReport>
  private var schedule: SpoolSchedule
  private let warn: @Sendable (Warning) -> Void
  private var hasSaidDropped = false
  /// The program's latest state, while it cannot be written.
  private var unkept: [UInt8]?
  /// Streams of which was said that nothing says how to send their mails.
  private var saidWithout: Set<String> = []

  /// Reads what waits in the folder.
  init(
    files: SpoolFiles<MailReport>, configurations: MailConfigurations, pauses: SpoolSchedule.Pauses,
    warn: @escaping @Sendable (Warning) -> Void
  ) {
    self.files = files
    self.warn = warn
    let entries = self.files.load()
    schedule = SpoolSchedule(entries, with: configurations, pauses: pauses)
    sayWhatIsWithoutConfiguration()
  }

  var isSending: Bool { schedule.isSending }

  func due(at now: Instant) -> Instant? { schedule.due(at: now) }

  /// Takes a report, and then the program's `state`, which has no longer in it what the report tells.
  mutating func add(_ report: MailReport, repetition: Bool, state: [UInt8]?) {
    guard let addition = schedule.add(report, name: files.nextName(), repetition: repetition) else { return }
    for entry in addition.dropped { files.remove(entry.name) }
    files.store(addition.entry)
    keep(state)
    if !addition.dropped.isEmpty, !hasSaidDropped {
      hasSaidDropped = true
      warn(
        Warning(
          code: "mail_dropped",
          text: "too many mails wait, so the oldest are dropped: see why the mail server takes none."))
    }
    sayWhatIsWithoutConfiguration()
  }

  /// Returns the report to send now; from here on a server may have it.
  mutating func start(at now: Instant) -> SpoolSchedule.Start? {
    guard let start = schedule.start(at: now) else { return nil }
    // The whole first: after a crash between the two, lines are there twice rather than not at all.
    if !start.absorbed.isEmpty { files.store(start.entry) }
    for other in start.absorbed { files.remove(other.name) }
    files.mark(start.entry, isSeen: true)
    return start
  }

  mutating func finish(_ name: String, _ outcome: MailOutcome?, at now: Instant) {
    guard let ending = schedule.finish(name, outcome, at: now) else { return }
    if ending.isDone {
      files.remove(ending.entry.name)
      hasSaidDropped = false
    } else if ending.entry.report.recipients != nil {
      files.store(ending.entry)
    } else {
      files.mark(ending.entry, isSeen: ending.entry.isSealed)
    }
    for warning in ending.warnings { warn(warning) }
    keep(nil)
  }

  mutating func restart() { schedule.restart() }

  /// Keeps what the program wants to know after a restart; nil changes nothing. It stays as it was while a report that it leaves
  /// out is in no file.
  mutating func keep(_ state: [UInt8]?) {
    if let state { unkept = state }
    guard let latest = unkept, files.countOfUnsaved(schedule.entries) == 0 else { return }
    files.keep(latest)
    if files.stateFailure == nil { unkept = nil }
  }

  /// Uses others from now on; the next attempts are due at once.
  mutating func use(_ configurations: MailConfigurations) {
    schedule.use(configurations)
    saidWithout = []
    sayWhatIsWithoutConfiguration()
  }

  /// Warns of reports that nobody will send: they are in no file.
  func sayWhatIsLost() {
    if let error = files.stateFailure {
      let text =
        "what the next start is to go on with could not be written to \(files.place) (\(error.description)): free space "
        + "there, and let this program write to it."
      warn(Warning(code: "mail_lost", text: text.escapingControlCharacters))
    }
    let count = files.countOfUnsaved(schedule.entries)
    guard count > 0 else { return }
    warn(
      Warning(
        code: "mail_lost",
        text: "\(count) mails were not sent before the end and are lost: give them a folder to wait in."))
  }

  private mutating func sayWhatIsWithoutConfiguration() {
    for entry in schedule.withoutConfiguration where saidWithout.insert(entry.report.stream).inserted {
      let file = entry.report.configuration.map { " and \($0) is not used any more" } ?? ""
      let text =
        "mails of [\(entry.report.stream)] wait and are not sent: it has no mail_config\(file). Set mail_config, or remove the "
        + "files from \(files.place)."
      warn(Warning(code: "mail_unconfigured", text: text.escapingControlCharacters))
    }
  }
}
