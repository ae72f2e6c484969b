/// The name of what a process runs: its program, or its script where the program only interprets one.
public enum ProgramName {
  /// The name; nil where nothing but the command line is known.
  public static func of(_ process: ProcessDescription) -> String? {
    // A kernel thread, or a process that has no memory left: ps(1)'s brackets say so.
    if process.arguments.isEmpty && process.executable == nil { return nil }
    guard let executable = process.executable, let program = base(of: undeleted(executable)) else {
      return of(command: process.arguments[...])
    }
    // One file for many programs goes by the name that it was called by.
    if multicall.contains(program) { return of(command: process.arguments[...]) ?? program }
    return name(of: program, arguments: process.arguments.dropFirst())
  }

  /// The name of what a command line runs, its first word being the program.
  private static func of(command: ArraySlice<String>) -> String? {
    guard let first = command.first, let program = base(of: title(first)) else { return nil }
    let rest = command.dropFirst()
    if multicall.contains(program) { return of(command: rest) ?? program }
    if program == "env" { return of(command: environmentSkipped(rest)) ?? program }
    return name(of: program, arguments: rest)
  }

  /// A command line for a narrow column: the program's base name with its arguments, or the script of an interpreter
  /// with those behind it. A name that the process gave itself (`nginx: worker process`) stays as it is.
  ///
  /// Words are what spaces divide: an argument with spaces in it counts as several.
  public static func label(ofCommandLine line: String) -> String {
    let words = line.split(separator: " ").map(String.init)
    return label(of: words[...]) ?? line
  }

  /// Nil where the words are no program and its arguments.
  private static func label(of words: ArraySlice<String>) -> String? {
    guard let first = words.first, !first.hasPrefix("["), title(first).count == first.count,
      let program = base(of: first)
    else { return nil }
    var rest = words.dropFirst()
    if multicall.contains(program), !rest.isEmpty { return label(of: rest) }
    if program == "env" {
      let command = environmentSkipped(rest)
      if !command.isEmpty { return label(of: command) }
    }
    let arguments = rest
    guard let script = Interpreter.named(program)?.takeScript(from: &rest), let name = base(of: script) else {
      return ([program] + arguments).joined(separator: " ")
    }
    return ([name] + rest).joined(separator: " ")
  }

  private static func name(of program: String, arguments: ArraySlice<String>) -> String {
    guard let interpreter = Interpreter.named(program), let script = interpreter.script(in: arguments) else {
      return program
    }
    return base(of: script) ?? program
  }

  private static let multicall: Set<String> = ["busybox", "toybox", "coreutils"]

  /// The last part of a path; nil where nothing is left that names anything.
  static func base(of path: some StringProtocol) -> String? {
    guard let last = path.split(separator: "/").last, last != ".", last != ".." else { return nil }
    return String(last)
  }

  /// The kernel's path of a file that was replaced while it runs (proc_pid_exe(5)).
  private static func undeleted(_ path: String) -> Substring {
    path.hasSuffix(" (deleted)") ? path.dropLast(10) : path[...]
  }

  /// The program in a first argument: without the `-` of a login shell, and without what daemons write behind
  /// their name (`nginx: worker process`, `sshd: user@pts/0`).
  private static func title(_ argument: String) -> Substring {
    let argument = argument.hasPrefix("-") ? argument.dropFirst() : argument[...]
    guard let colon = argument.firstIndex(of: ":"), !argument[..<colon].contains(" ") else { return argument }
    let after = argument.index(after: colon)
    return after == argument.endIndex || argument[after] == " " ? argument[..<colon] : argument
  }

  /// What env(1) runs: without its options and the variables that it sets.
  private static func environmentSkipped(_ arguments: ArraySlice<String>) -> ArraySlice<String> {
    var rest = arguments
    while let next = rest.first {
      if ["-u", "--unset", "-C", "--chdir"].contains(next) {
        rest = rest.dropFirst(2)
      } else if next.hasPrefix("-") || next.contains("=") {
        rest = rest.dropFirst()
      } else {
        break
      }
    }
    return rest
  }
}
