import Testing

/// A folder for what waits that nothing can be written to.
struct UselessFolder: Sendable, CustomTestStringConvertible {
  /// What a shell does to make it, in a mount namespace of its own; STATE is an empty folder, and the one that waits is
  /// STATE/spool.
  let prepare: String
  /// What the program says of it.
  let said: String

  var testDescription: String { said }

  static let all = [
    UselessFolder(
      prepare: "mount -t tmpfs -o size=4k,nr_inodes=100 none STATE && mkdir STATE/spool"
        + " && head -c 4096 /dev/zero >STATE/spool/.full",
      said: "No space left"),
    UselessFolder(
      prepare: "mkdir STATE/spool && mount -t tmpfs -o ro none STATE/spool", said: "Read-only file system"),
  ]

  /// Words of a command line that make it and then run what follows.
  func wrapper(_ state: String) -> [String] {
    let line = "mkdir \(state) && \(prepare.replacing("STATE", with: state)) && exec \"$@\""
    return ["unshare", "-m", "sh", "-c", line, "sh"]
  }
}
