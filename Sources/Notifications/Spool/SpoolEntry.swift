import Model

/// Something that can wait in a folder, a file for each.
protocol SpoolReport: Sendable, Hashable {
  /// What such are called in warnings.
  static var words: SpoolWords { get }
  /// The most that are read from a folder.
  static var mostEntries: Int { get }
  /// The text of its file.
  var file: [UInt8] { get }
  /// Reads a file; nil for one that is none of these.
  init?(file: [UInt8])
}

/// What waits in a folder, in words.
public struct SpoolWords: Sendable, Hashable {
  /// What they are called.
  let plural: String
  /// How the codes of warnings begin.
  let code: String

  /// Mails.
  public static let mails = SpoolWords(plural: "mails", code: "mail_spool")
  /// Webhooks.
  public static let webhooks = SpoolWords(plural: "webhooks", code: "webhook_spool")
}

/// A report that waits, and its place in the folder.
struct SpoolEntry<Report: SpoolReport>: Sendable, Hashable {
  /// The file's name without what tells its state; names in order are in order of time.
  let name: String
  var report: Report
  /// True when nothing is added to it any more: a server may have it already, so that the rest would not be shown, or has
  /// refused it, which is not to happen to the rest.
  var isSealed = false
  /// How often a server refused it, since start.
  var refusals = 0
  /// True when it was refused for good: it waits for other configurations.
  var isStopped = false
  /// Not before this: it was refused.
  var notBefore: Instant?
}

/// A mail that waits.
typealias MailEntry = SpoolEntry<MailReport>
