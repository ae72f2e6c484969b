extension Interpreter {
  /// The interpreter that a program is, whatever its version (`python3.11`, `ruby3.1`); nil for others.
  static func named(_ program: String) -> Interpreter? {
    if let exact = known[program] { return exact }
    let version = program.reversed().prefix { $0.isNumber || $0 == "." || $0 == "-" }
    return version.isEmpty ? nil : known[String(program.dropLast(version.count))]
  }

  private static let known: [String: Interpreter] = {
    var known: [String: Interpreter] = [:]
    for name in ["python", "pypy"] { known[name] = python }
    for name in ["sh", "bash", "dash", "ash", "zsh", "ksh", "mksh"] { known[name] = shell }
    for name in ["node", "nodejs"] { known[name] = node }
    known["java"] = java
    known["perl"] = perl
    known["ruby"] = ruby
    known["php"] = php
    return known
  }()

  /// python3(1).
  private static let python = Interpreter(
    naming: ["m"], inline: ["c"], valued: ["W", "X"], valuedWords: ["--check-hash-based-pycs"])

  /// sh(1p), bash(1).
  private static let shell = Interpreter(
    inline: ["c", "s"], valued: ["o", "O"], valuedWords: ["--rcfile", "--init-file"])

  /// node(1).
  private static let node = Interpreter(
    inlineWords: ["-e", "--eval", "-p", "--print", "-pe"],
    valuedWords: [
      "-r", "--require", "-C", "--conditions", "--import", "--loader", "--experimental-loader",
      "--icu-data-dir",
      "--title", "--openssl-config", "--redirect-warnings", "--trace-event-categories",
    ],
    groupsLetters: false)

  /// java(1); without `-jar` or `-m` the first word is the class.
  private static let java = Interpreter(
    namingWords: ["-jar", "-m", "--module"],
    valuedWords: [
      "-cp", "-classpath", "--class-path", "-p", "--module-path", "--upgrade-module-path", "--add-modules",
      "--add-exports", "--add-opens", "--add-reads", "--limit-modules", "--patch-module", "--source",
      "--enable-native-access",
    ],
    groupsLetters: false)

  /// perlrun(1).
  private static let perl = Interpreter(
    inline: ["e", "E"], valued: ["I"], attached: ["0", "C", "D", "F", "M", "V", "d", "i", "l", "m", "x"])

  /// ruby(1).
  private static let ruby = Interpreter(
    inline: ["e"], valued: ["C", "E", "I", "r"], attached: ["0", "F", "K", "T", "W", "i", "x"])

  /// php(1).
  private static let php = Interpreter(
    naming: ["f"], inline: ["r", "B", "R", "F", "E"], valued: ["c", "d", "g", "S", "t", "z"])
}
