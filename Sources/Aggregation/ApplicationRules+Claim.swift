import Model
import Patterns

extension ApplicationRules {
  /// The application of a process: by a rule for its command line; with `inherit` by one for its nearest
  /// ancestor; with `autoGroup` by its program or script; else its command line.
  public func claim(_ process: ProcessDescription) -> Claim {
    var abandoned = 0
    if let rule = rule(for: process.commandLine, &abandoned) {
      return claim(rule.name, .rule(Claim.Source(rule)), abandoned)
    }
    if inherit {
      for ancestor in process.ancestors {
        guard let rule = rule(for: ancestor, &abandoned) else { continue }
        return claim(rule.name, .inherited(Claim.Source(rule), ancestor: ancestor), abandoned)
      }
    }
    if autoGroup, let program = ProgramName.of(process) { return claim(program, .program, abandoned) }
    return claim(process.commandLine, .nobody, abandoned)
  }

  /// The application of a pipe: by a rule for its name, else its name.
  public func claim(pipe name: String) -> Claim {
    var abandoned = 0
    guard let rule = rule(for: name, &abandoned) else { return claim(name, .nobody, abandoned) }
    return claim(rule.name, .rule(Claim.Source(rule)), abandoned)
  }

  /// Says who claims a command line that a user typed: its words are divided at spaces.
  public func explain(commandLine: String) -> Claim {
    let isKernelThread = commandLine.hasPrefix("[") && commandLine.hasSuffix("]")
    let words = isKernelThread ? [] : commandLine.split(separator: " ").map(String.init)
    return claim(
      ProcessDescription(
        identity: ProcessIdentity(pid: 0, startTime: 0), uid: 0, executable: nil, arguments: words,
        commandLine: commandLine))
  }

  private func rule(for commandLine: String, _ abandoned: inout Int) -> Rule? {
    for rule in rules {
      switch rule.pattern.search(commandLine) {
      case .found: return rule
      case .notFound: continue
      case .gaveUp: abandoned += 1
      }
    }
    return nil
  }

  private func claim(_ name: String, _ reason: Claim.Reason, _ abandoned: Int) -> Claim {
    Claim(application: Self.bounded(name), reason: reason, abandonedSearches: abandoned)
  }

  /// A name of at most some 4 KiB: both ends of a longer one, because what tells one Java program from another
  /// is at the end.
  static func bounded(_ name: String) -> String {
    let half = 2048
    guard name.utf8.count > 2 * half else { return name }
    return String(decoding: name.utf8.prefix(half), as: UTF8.self) + "..."
      + String(decoding: name.utf8.suffix(half), as: UTF8.self)
  }
}
