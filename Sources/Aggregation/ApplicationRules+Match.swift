import Model
import Patterns

extension ApplicationRules {
  /// The application of a process: by a rule for its command line, unit or container; with `inherit` by one for its
  /// nearest ancestor; with `autoGroup` by its program or script; else its command line.
  public func claim(_ process: ProcessDescription) -> RuleMatch {
    var abandoned = 0
    if let rule = rule(for: process.commandLine, process.place, &abandoned) {
      return claim(rule.name, .rule(RuleMatch.Source(rule)), abandoned)
    }
    if inherit {
      for ancestor in process.ancestors {
        guard let rule = rule(for: ancestor, ProcessPlace(), &abandoned) else { continue }
        return claim(rule.name, .inherited(RuleMatch.Source(rule), ancestor: ancestor), abandoned)
      }
    }
    if autoGroup, let program = ProgramName.of(process) { return claim(program, .program, abandoned) }
    return claim(process.commandLine, .nobody, abandoned)
  }

  /// The application of a pipe: by a rule for command lines that fits its name, else its name.
  public func claim(pipe name: String) -> RuleMatch {
    var abandoned = 0
    guard let rule = rule(for: name, ProcessPlace(), &abandoned) else {
      return claim(name, .nobody, abandoned)
    }
    return claim(rule.name, .rule(RuleMatch.Source(rule)), abandoned)
  }

  /// Says who matches a command line that a user typed: its words are divided at spaces. Rules for units and
  /// containers cannot be asked; how many would have had their say before is counted in `unasked`.
  public func explain(commandLine: String) -> RuleMatch {
    let isKernelThread = commandLine.hasPrefix("[") && commandLine.hasSuffix("]")
    let words = isKernelThread ? [] : commandLine.split(separator: " ").map(String.init)
    var claim = claim(
      ProcessDescription(
        identity: ProcessIdentity(pid: 0, startTime: 0), uid: 0, executable: nil, arguments: words,
        commandLine: commandLine))
    let earlier = rules.prefix { claim.reason != .rule(RuleMatch.Source($0)) }
    claim.unasked = earlier.count { $0.subject != .commandLine }
    return claim
  }

  private func rule(for commandLine: String, _ place: ProcessPlace, _ abandoned: inout Int) -> Rule? {
    for rule in rules {
      let subject =
        switch rule.subject {
        case .commandLine: Optional(commandLine)
        case .unit: place.unit
        case .container: place.container
        }
      guard let subject else { continue }
      switch rule.pattern.search(subject) {
      case .found: return rule
      case .notFound: continue
      case .gaveUp: abandoned += 1
      }
    }
    return nil
  }

  private func claim(_ name: String, _ reason: RuleMatch.Reason, _ abandoned: Int) -> RuleMatch {
    RuleMatch(application: Self.bounded(name), reason: reason, abandonedSearches: abandoned)
  }

  /// A name of at most some 4 KiB: both ends of a longer one, because what distinguishes one Java program from another
  /// is at the end.
  static func bounded(_ name: String) -> String {
    let half = 2048
    guard name.utf8.count > 2 * half else { return name }
    return String(decoding: name.utf8.prefix(half), as: UTF8.self) + "..."
      + String(decoding: name.utf8.suffix(half), as: UTF8.self)
  }
}
