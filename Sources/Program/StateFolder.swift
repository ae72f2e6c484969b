import SystemRuntime

/// Where a program keeps what is to be there after a restart.
public enum StateFolder {
  /// The folder that was `named`; else systemd's for this service (STATE_DIRECTORY of systemd.exec(5), of which the first
  /// counts); else root's, or the user's own (XDG Base Directory Specification). Nil where there is none.
  static func path(
    of program: String, named: String?, stateDirectory: String?, isRoot: Bool, stateHome: String?,
    home: String?
  ) -> String? {
    if let named { return named }
    if let first = stateDirectory?.split(separator: ":").first { return String(first) }
    if isRoot { return "/var/lib/bwmon/\(program)" }
    if let stateHome, stateHome.hasPrefix("/") { return "\(stateHome)/bwmon/\(program)" }
    return home.flatMap { $0.hasPrefix("/") ? "\($0)/.local/state/bwmon/\(program)" : nil }
  }

  /// The same for this process.
  public static func path(of program: String, named: String?) -> String? {
    path(
      of: program, named: named, stateDirectory: Environment.value("STATE_DIRECTORY"),
      isRoot: ProcessUser.isRoot, stateHome: Environment.value("XDG_STATE_HOME"),
      home: Environment.value("HOME"))
  }
}
