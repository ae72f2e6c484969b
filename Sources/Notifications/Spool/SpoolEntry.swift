/// A report that waits, and its place in the folder.
struct SpoolEntry: Sendable, Hashable {
  /// The file's name without what tells its state; names in order are in order of time.
  let name: String
  var report: MailReport
  /// True when nothing is added to it any more: a server may have it already, so that the rest would not be shown, or has
  /// refused it, which is not to happen to the rest.
  var isSealed = false
  /// How often a server refused it, since start.
  var refusals = 0
  /// True when it was refused for good: it waits for other configurations.
  var isStopped = false
  /// Not before this: it was refused.
  var notBefore: ContinuousClock.Instant?
}
