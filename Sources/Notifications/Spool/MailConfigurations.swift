/// How mails are sent: for each section that has mails the configuration file that it names.
public struct MailConfigurations: Sendable, Hashable {
  private var files: [String: String] = [:]
  private var configurations: [String: MailConfiguration] = [:]

  /// None: nothing is mailed.
  public init() {}

  /// True where nothing is mailed.
  public var isEmpty: Bool { configurations.isEmpty }

  /// Has the mails of `section` sent as `configuration` says, which was read from `file`.
  public mutating func add(_ configuration: MailConfiguration, file: String, section: String) {
    files[section] = file
    configurations[file] = configuration
  }

  /// The file that `report` is sent with: the one that it was reported for, else that of its section, which may name
  /// another by now; nil where neither is there.
  func file(for report: MailReport) -> String? {
    if let file = report.configuration, configurations[file] != nil { return file }
    return files[report.stream]
  }

  /// What a file says.
  subscript(file: String) -> MailConfiguration? { configurations[file] }

  /// Those, and what they do not name of `old`: the end of an alert may be reported when its section has gone.
  func keeping(_ old: Self) -> Self {
    var kept = self
    kept.files.merge(old.files) { own, _ in own }
    kept.configurations.merge(old.configurations) { own, _ in own }
    return kept
  }
}
