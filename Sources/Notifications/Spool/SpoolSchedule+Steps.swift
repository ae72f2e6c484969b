import Model

/// What the schedule answers: what waits now, what is to be sent, what an attempt came to.
extension SpoolSchedule {
  /// What became of a new report.
  struct Addition: Sendable, Hashable {
    /// The report as it waits now, alone or with others.
    var entry: MailEntry
    /// Those that had to go for it.
    var dropped: [MailEntry]
  }

  /// A report that is to be sent now.
  struct Start: Sendable {
    var entry: MailEntry
    /// How.
    var configuration: MailConfiguration
    /// Others that are part of it from now on.
    var absorbed: [MailEntry]
  }

  /// What became of a report after an attempt.
  struct Ending: Sendable, Hashable {
    /// The report, as it waits now or has waited.
    var entry: MailEntry
    /// True when all who can get it have it.
    var isDone: Bool
    /// What to say.
    var warnings: [Warning] = []
  }
}
