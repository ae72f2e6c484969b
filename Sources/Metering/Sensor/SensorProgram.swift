public import SystemRuntime

/// Where the program that measures is.
public enum SensorProgram {
  /// Its name.
  public static let name = "runmonitor"

  /// Returns its path: beside this program, or in the libexec folder of the same installation. It is never searched in PATH, where
  /// another one could be. Errors: `sensorLost` where there is none that may be run.
  public static func path(of own: String? = ProgramFile.own) throws(KernelError) -> String {
    let folder = own.map { String($0[..<($0.lastIndex(of: "/") ?? $0.startIndex)]) } ?? ""
    let parent = String(folder[..<(folder.lastIndex(of: "/") ?? folder.startIndex)])
    let paths = ["\(folder)/\(name)", "\(parent)/libexec/bwmon/\(name)"]
    for path in paths {
      switch ProgramFile.presence(of: path) {
      case .executable: return path
      case .notExecutable:
        throw .sensorLost(
          "\(path), which reads the connection table, may not be run by this user: change its permissions "
            + "(`chmod 755 \(path)`), or run this program as who may.")
      case .missing: continue
      }
    }
    throw .sensorLost(
      "\(name), which reads the connection table, is neither \(paths[0]) nor \(paths[1]): install it beside "
        + "this program (`make install` does).")
  }
}
