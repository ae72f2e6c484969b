public import Model
import SystemPackage
public import SystemRuntime

/// The folder where reports wait, for one program alone.
public enum SpoolFolder {
  /// Takes the folder at `path`; nil, after a warning, where `program` cannot have it or there is no path. `words` say what
  /// waits there.
  public static func take(
    _ path: String?, of words: SpoolWords = .mails, program: String, warn: (Warning) -> Void
  ) -> OwnFolder? {
    guard let path else {
      warn(
        unusable(
          words,
          "there is no folder for \(words.plural) to wait in, as HOME is not set: those that are not sent at the end are lost. Name "
            + "one with --spool."))
      return nil
    }
    do throws(Errno) { return try OwnFolder(path) } catch {
      let why = error == .wouldBlock ? "another \(program) has it" : "\(error)"
      warn(
        unusable(
          words,
          "\(words.plural) cannot wait in \(path): \(why). Those that are not sent at the end are lost; name another folder with --spool."
            .escapingControlCharacters))
      return nil
    }
  }

  private static func unusable(_ words: SpoolWords, _ text: String) -> Warning {
    Warning(code: "\(words.code)_unusable", text: text)
  }
}
