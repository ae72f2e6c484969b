public import Model
import SystemPackage
public import SystemRuntime

/// The folder where mails wait, for one program alone.
public enum SpoolFolder {
  /// Takes the folder at `path`; nil, after a warning, where `program` cannot have it or there is no path.
  public static func take(
    _ path: String?, program: String, warn: (Warning) -> Void
  ) -> OwnFolder? {
    guard let path else {
      warn(
        unusable(
          "there is no folder for mails to wait in, as HOME is not set: those that are not sent at the end are lost. Name "
            + "one with --spool."))
      return nil
    }
    do throws(Errno) { return try OwnFolder(path) } catch {
      let why = error == .wouldBlock ? "another \(program) has it" : "\(error)"
      warn(
        unusable(
          "mails cannot wait in \(path): \(why). Those that are not sent at the end are lost; name another folder with --spool."
            .escapingControlCharacters))
      return nil
    }
  }

  private static func unusable(_ text: String) -> Warning { Warning(code: "mail_spool_unusable", text: text) }
}
