import Foundation

/// A unit of systemd in `samples/`.
struct SampleUnit {
  static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().path
  static let folder = "\(root)/samples"

  /// The settings in their order, comments left out and continued lines joined.
  let settings: [(key: String, value: String)]

  init(_ name: String) throws {
    let text = try String(contentsOfFile: "\(Self.folder)/\(name)", encoding: .utf8)
    settings = text.replacing("\\\n", with: " ").split(separator: "\n").compactMap { line in
      guard !line.hasPrefix("#"), let equals = line.firstIndex(of: "=") else { return nil }
      return (String(line[..<equals]), String(line[line.index(after: equals)...]))
    }
  }

  /// The last value of a setting.
  subscript(key: String) -> String? { settings.last { $0.key == key }?.value }

  /// The words of its command.
  var command: [String] { (self["ExecStart"] ?? "").split(separator: " ").map(String.init) }

  /// The command's flags; the configuration files are those of `folder`, which are named for the samples.
  func flags(filesIn folder: String) -> [String] {
    command.dropFirst().map { word in
      guard word.hasPrefix("/etc/bwmon/") else { return word }
      return word.replacing("/etc/bwmon/", with: "\(folder)/").replacing(".cfg", with: ".sample.cfg")
    }
  }

  /// What gives a program the unit's user and capabilities where no systemd runs.
  var wrapper: [String] {
    func capabilities(_ key: String) -> String {
      (self[key] ?? "").split(separator: " ").map { "+" + $0.dropFirst("CAP_".count).lowercased() }
        .joined(separator: ",")
    }
    let ambient = capabilities("AmbientCapabilities")
    let bounding = capabilities("CapabilityBoundingSet")
    return [
      "setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--inh-caps=\(ambient)",
      "--ambient-caps=\(ambient)", "--bounding-set=-all,\(bounding)",
    ] + (self["NoNewPrivileges"] == "yes" ? ["--no-new-privs"] : [])
  }
}
