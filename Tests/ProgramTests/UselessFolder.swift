import Testing

/// A folder that cannot serve for what waits.
struct UselessFolder: Sendable, CustomTestStringConvertible {
  /// What a shell does to make it, in a mount namespace of its own; STATE is an empty folder, and the folder is `path` in
  /// it.
  let prepare: String
  /// What the program says of it.
  let said: String
  /// Where it is in STATE.
  var path = "spool"

  var testDescription: String { "\(path): \(said)" }

  static let all = [
    UselessFolder(
      prepare: "mount -t tmpfs -o size=4k,nr_inodes=100 none STATE && mkdir STATE/spool"
        + " && head -c 4096 /dev/zero >STATE/spool/.full",
      said: "No space left"),
    UselessFolder(
      prepare: "mkdir STATE/spool && mount -t tmpfs -o ro none STATE/spool", said: "Read-only file system"),
  ]

  /// There is none, and none above it, and none can be made.
  static let absent = UselessFolder(
    prepare: "mount -t tmpfs -o ro none STATE", said: "Read-only file system", path: "spool/a/b")

  /// Words of a command line that make it and then run what follows.
  func wrapper(_ state: String) -> [String] {
    let line = "mkdir \(state) && \(prepare.replacing("STATE", with: state)) && exec \"$@\""
    return ["unshare", "-m", "sh", "-c", line, "sh"]
  }
}
