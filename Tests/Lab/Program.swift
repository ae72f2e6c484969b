import Foundation

/// The built programs: they lie beside the test bundle.
public enum Program {
  /// Returns the path of a program by its name.
  ///
  /// `BWMON_PROGRAMS` names another folder, to test an installed or a release build.
  public static func path(_ name: String) -> String {
    let folder =
      ProcessInfo.processInfo.environment["BWMON_PROGRAMS"]
      ?? URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent().path
    return "\(folder)/\(name)"
  }

  /// Returns the path of an original that Tests/Checks/install-originals.sh has installed.
  public static func original(_ name: String) -> String {
    URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
      .appending(path: ".build-originals/bin/\(name)").path
  }

  /// The generator of traffic.
  public static var traffic: String { path("traffic") }
}
