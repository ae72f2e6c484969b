import Aggregation
import INI
import Model
import Monitors
import Notifications
import Pipes
import Probes
import SystemRuntime

/// All that the configuration files say, read together: either all of it is valid, or none is used.
struct AggregatorConfiguration {
  /// Where the files are; nil for one that was not named.
  struct Files {
    var applications: String?
    var monitors: String?
    var notifications: String?
    var publish: String?
    var autoGroup: Bool
    var inherit: Bool
    var excludesTunnels: Bool

    /// Each file by itself.
    var each: [Files] {
      let parts: [WritableKeyPath<Files, String?>] = [\.applications, \.monitors, \.notifications, \.publish]
      return parts.compactMap { part in
        guard let path = self[keyPath: part] else { return nil }
        var files = Files(autoGroup: autoGroup, inherit: inherit, excludesTunnels: excludesTunnels)
        files[keyPath: part] = path
        return files
      }
    }
  }

  /// Why the files cannot be used.
  enum Failure: Error, CustomStringConvertible {
    case invalid(INIError)
    case unreadable(KernelError)
    case pipes(PipeError)
    case mail(MailConfigurationError)

    var description: String {
      switch self {
      case .invalid(let error): "\(error)"
      case .unreadable(let error): "\(error)"
      case .pipes(let error): "\(error)"
      case .mail(let error): "\(error)"
      }
    }
  }

  /// Which application a process belongs to.
  let rules: ApplicationRules
  /// What the monitors show; without a file one that shows all.
  let filters: [MonitorFilter]
  /// What is forwarded.
  let pipes: [PipeConfiguration]
  /// Who is probed.
  let probes: [ProbePlan]
  /// The limits of probes.
  let probeRules: [ProbeRule]
  /// The limits.
  let thresholds: [ThresholdRule]
  /// What is done when one is crossed.
  let actions: AlertActions
  /// What is published; nil without such a file.
  let publish: PublishPlan?
  /// What should be said of values that are understood but not as they should be.
  let warnings: [String]

  init(_ files: Files) throws(Failure) {
    var remarks: [INIWarning] = []
    if let path = files.applications {
      let file = try Self.read(path)
      rules = try Self.valid { () throws(INIError) in
        try Self.checkIsNotEmpty(file, "add [NAME] with lines shortname=REGEX")
        return try ApplicationRules(file, autoGroup: files.autoGroup, inherit: files.inherit)
      }
      remarks += file.warnings + rules.warnings + file.sections.compactMap(Self.misplaced)
    } else {
      rules = ApplicationRules(autoGroup: files.autoGroup, inherit: files.inherit)
    }
    var (filters, pipes, probes) = ([MonitorFilter()], [PipeConfiguration](), [ProbePlan]())
    if let path = files.monitors { (filters, pipes, probes) = try Self.meters(path, &remarks) }
    if files.excludesTunnels { for index in filters.indices { filters[index].excludesTunnels = true } }
    (self.filters, self.pipes, self.probes) = (filters, pipes, probes)
    do throws(PipeError) { try PipeConfiguration.check(pipes) } catch { throw .pipes(error) }
    var (thresholds, probeRules, actions) = ([ThresholdRule](), [ProbeRule](), AlertActions())
    if let path = files.notifications {
      (thresholds, probeRules, actions) = try Self.notifications(path, &remarks)
    }
    (self.thresholds, self.probeRules, self.actions) = (thresholds, probeRules, actions)
    publish = try files.publish.map { path throws(Failure) in
      let file = try Self.read(path)
      let plan = try Self.valid { () throws(INIError) in try PublishPlan(file) }
      remarks += file.warnings + plan.warnings
      return plan
    }
    // What a section inherits is said once.
    var said: Set<INIWarning> = []
    warnings =
      remarks.filter { said.insert($0).inserted }.map(\.sentence)
      + (thresholds.flatMap(\.warnings) + pipes.flatMap(\.warnings)).map(\.text)
  }

  /// A file of monitors or notifications is one of applications as well, by its grammar.
  private static func misplaced(_ section: INISection) -> INIWarning? {
    let types = ["monitor", "pipe"] + ProbePlan.Kind.allCases.map(\.rawValue)
    let type = section.entry("type").flatMap {
      types.contains($0.value.lowercased()) ? ($0, "--monitor-config") : nil
    }
    let limit = ["in_threshold", "out_threshold", "loss_threshold", "rtt_threshold"].lazy.compactMap(
      section.entry
    )
    .first.map { ($0, "--notification-config") }
    guard let (entry, flag) = type ?? limit else { return nil }
    return INIWarning(
      file: section.file, line: entry.line,
      what:
        "\(entry.key)=\(entry.value) is taken for the regular expression of an application: name the file with "
        + "\(flag) if it is not one of applications")
  }

  private static func meters(
    _ path: String, _ remarks: inout [INIWarning]
  ) throws(Failure) -> ([MonitorFilter], [PipeConfiguration], [ProbePlan]) {
    let file = try read(path)
    remarks +=
      file.warnings + file.sections.flatMap { $0.warningsOfExpressions(in: MonitorFilter.expressions) }
    return try valid { () throws(INIError) in
      try checkIsNotEmpty(file, "add one with type=monitor, type=pipe or type=ping")
      var filters: [MonitorFilter] = []
      var pipes: [PipeConfiguration] = []
      var probes: [ProbePlan] = []
      for section in file.sections {
        // A slip of `type` itself is reported as that.
        if section.entry("type") == nil {
          try section.checkKeys(known: MonitorFilter.keys + PipeConfiguration.keys + ProbePlan.keys)
        }
        let type = try section.required("type")
        switch type.lowercased() {
        case "monitor": filters.append(try MonitorFilter(section))
        case "pipe": pipes.append(try PipeConfiguration(section: section))
        case let kind where ProbePlan.Kind(rawValue: kind) != nil:
          if section.name == ConnectivityGate.subject {
            throw section.error(
              "[\(section.name)] is what an outage of this host's network is called: take another name")
          }
          probes.append(try ProbePlan(section: section))
        default:
          throw section.error(
            atKey: "type",
            "unknown type \(type); known types: monitor, pipe, "
              + ProbePlan.Kind.allCases.map(\.rawValue).joined(separator: ", "))
        }
      }
      return (filters, pipes, probes)
    }
  }

  private static func notifications(
    _ path: String, _ remarks: inout [INIWarning]
  ) throws(Failure) -> ([ThresholdRule], [ProbeRule], AlertActions) {
    let file = try read(path)
    remarks +=
      file.warnings
      + file.sections.flatMap {
        $0.warningsOfExpressions(in: ThresholdRule.expressions + ProbeRule.expressions)
      }
    try valid { () throws(INIError) in
      try checkIsNotEmpty(file, "add one with in_threshold or out_threshold, or leave the file out")
    }
    var thresholds: [ThresholdRule] = []
    var probeRules: [ProbeRule] = []
    var actions = AlertActions()
    for section in file.sections {
      let (mail, command) = try valid { () throws(INIError) in
        try section.checkKeys(known: ThresholdRule.keys + ProbeRule.ownKeys + AlertActions.keys)
        let probeRule = try ProbeRule(section)
        if let probeRule { probeRules.append(probeRule) }
        if probeRule == nil || ThresholdRule.hasLimit(section) {
          thresholds.append(try ThresholdRule(section))
        }
        if let webhook = try WebhookRule(section) { actions.webhooks.append(webhook) }
        return (try MailRule(section), try CommandRule(section))
      }
      if let command {
        actions.commands.append(command)
        remarks += command.warnings(of: section, find: presence(of:))
      }
      if let mail { actions.mails.append((mail, try mailConfiguration(mail.path, of: section))) }
    }
    return (thresholds, probeRules, actions)
  }

  private static func mailConfiguration(_ path: String, of section: INISection) throws(Failure)
    -> MailConfiguration
  {
    let bytes: [UInt8]
    do throws(KernelError) { bytes = try WholeFile.read(path, limit: MailConfiguration.maximumSize) } catch {
      throw .invalid(section.error(atKey: "mail_config", "\(error)"))
    }
    do throws(MailConfigurationError) { return try MailConfiguration(name: path, bytes: bytes) } catch {
      throw .mail(error)
    }
  }

  private static func presence(of program: String) -> CommandRule.Presence {
    switch ProgramFile.find(program) {
    case .executable: .executable
    case .notExecutable: .notExecutable
    case .missing: .missing
    }
  }

  /// A file that is empty for a moment, because it is being written, must not take all rules away.
  private static func checkIsNotEmpty(_ file: INIFile, _ hint: String) throws(INIError) {
    if file.sections.isEmpty { throw INIError(file: file.name, line: 1, what: "no section: \(hint)") }
  }

  private static func read(_ path: String) throws(Failure) -> INIFile {
    let bytes: [UInt8]
    do throws(KernelError) { bytes = try WholeFile.read(path, limit: TextLines.maximumSize) } catch {
      throw .unreadable(error)
    }
    return try valid { () throws(INIError) in try INIFile(name: path, bytes: bytes) }
  }

  private static func valid<Value>(_ body: () throws(INIError) -> Value) throws(Failure) -> Value {
    do throws(INIError) { return try body() } catch { throw .invalid(error) }
  }
}

extension INIWarning {
  /// The warning as the others end.
  fileprivate var sentence: String { "\(self)." }
}
