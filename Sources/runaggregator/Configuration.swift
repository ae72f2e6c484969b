import Aggregation
import INI
import Kernel
import Model
import Monitors
import Notifications
import Pipes

/// All that the configuration files say, read together: either all of it is valid, or none is used.
struct Configuration {
  /// Where the files are; nil for one that was not named.
  struct Files {
    var applications: String?
    var monitors: String?
    var notifications: String?
    var autoGroup: Bool
    var inherit: Bool
    var excludesTunnels: Bool
  }

  /// Why the files cannot be used.
  enum Failure: Error, CustomStringConvertible {
    case invalid(INIError)
    case unreadable(KernelError)
    case pipes(PipeError)

    var description: String {
      switch self {
      case .invalid(let error): "\(error)"
      case .unreadable(let error): "\(error)"
      case .pipes(let error): "\(error)"
      }
    }
  }

  /// Which application a process belongs to.
  let rules: ApplicationRules
  /// What the monitors show; without a file one that shows all.
  let filters: [MonitorFilter]
  /// What is forwarded.
  let pipes: [Pipes.Configuration]
  /// The limits.
  let thresholds: [ThresholdRule]
  /// What runs when one is crossed.
  let commands: [CommandRule]
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
      remarks += file.warnings + rules.warnings
    } else {
      rules = ApplicationRules(autoGroup: files.autoGroup, inherit: files.inherit)
    }
    var (filters, pipes) = ([MonitorFilter()], [Pipes.Configuration]())
    if let path = files.monitors { (filters, pipes) = try Self.meters(path, &remarks) }
    if files.excludesTunnels { for index in filters.indices { filters[index].excludesTunnels = true } }
    (self.filters, self.pipes) = (filters, pipes)
    do throws(PipeError) { try Pipes.Configuration.check(pipes) } catch { throw .pipes(error) }
    var (thresholds, commands) = ([ThresholdRule](), [CommandRule]())
    if let path = files.notifications { (thresholds, commands) = try Self.notifications(path, &remarks) }
    (self.thresholds, self.commands) = (thresholds, commands)
    // What a section inherits is said once.
    var said: Set<INIWarning> = []
    warnings =
      remarks.filter { said.insert($0).inserted }.map(\.sentence)
      + (thresholds.flatMap(\.warnings) + pipes.flatMap(\.warnings)).map(\.text)
  }

  private static func meters(
    _ path: String, _ remarks: inout [INIWarning]
  ) throws(Failure) -> ([MonitorFilter], [Pipes.Configuration]) {
    let file = try read(path)
    remarks +=
      file.warnings + file.sections.flatMap { $0.warningsOfExpressions(in: MonitorFilter.expressions) }
    return try valid { () throws(INIError) in
      try checkIsNotEmpty(file, "add one with type=monitor or type=pipe")
      var filters: [MonitorFilter] = []
      var pipes: [Pipes.Configuration] = []
      for section in file.sections {
        // A slip of `type` itself is told as that.
        if section.entry("type") == nil {
          try section.checkKeys(known: MonitorFilter.keys + Pipes.Configuration.keys)
        }
        let type = try section.required("type")
        switch type {
        case "monitor": filters.append(try MonitorFilter(section))
        case "pipe": pipes.append(try Pipes.Configuration(section: section))
        default:
          throw section.error(
            at: section.entry("type") ?? section.entries[0],
            "unknown type \(type); known types: monitor, pipe")
        }
      }
      return (filters, pipes)
    }
  }

  private static func notifications(
    _ path: String, _ remarks: inout [INIWarning]
  ) throws(Failure) -> ([ThresholdRule], [CommandRule]) {
    let file = try read(path)
    remarks +=
      file.warnings + file.sections.flatMap { $0.warningsOfExpressions(in: ThresholdRule.expressions) }
    let (thresholds, commands) = try valid {
      () throws(INIError) -> ([ThresholdRule], [(CommandRule, INISection)]) in
      try checkIsNotEmpty(file, "add one with in_threshold or out_threshold, or leave the file out")
      var thresholds: [ThresholdRule] = []
      var commands: [(CommandRule, INISection)] = []
      for section in file.sections {
        try section.checkKeys(known: ThresholdRule.keys + CommandRule.keys)
        thresholds.append(try ThresholdRule(section))
        if let command = try CommandRule(section) { commands.append((command, section)) }
      }
      return (thresholds, commands)
    }
    remarks += commands.flatMap { command, section in command.warnings(of: section, find: presence(of:)) }
    return (thresholds, commands.map(\.0))
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
    do throws(KernelError) { bytes = try WholeFile.read(path, limit: INIFile.maximumSize) } catch {
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
