public import Model
import SystemPackage
public import SystemRuntime

/// The folder where reports wait, for one program alone, and what that keeps there for its next start.
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

  /// The longest state of a program.
  public static let mostState = 256 << 10

  /// What the program kept in its `folder` as its state, as `parse` reads it; nil where there is none. A file that cannot be
  /// read is put aside, and that is said.
  public static func state<State>(
    in folder: OwnFolder, _ parse: ([UInt8]) -> State?, warn: (Warning) -> Void
  ) -> State? {
    let files: DurableFolder
    do throws(Errno) { files = try DurableFolder(folder.path) } catch {
      // Said by the service, which needs it too.
      return nil
    }
    let reason: String
    do throws(Errno) {
      let bytes = try files.read(SpoolFiles<MailReport>.state, limit: mostState)
      if bytes.count <= mostState, let state = parse(bytes) { return state }
      reason = "it is damaged"
    } catch {
      if error == .noSuchFileOrDirectory { return nil }
      reason = "\(error)"
    }
    var place = SpoolFiles<MailReport>.state
    do throws(Errno) {
      try files.rename(SpoolFiles<MailReport>.state, to: SpoolFiles<MailReport>.damagedState)
      place = SpoolFiles<MailReport>.damagedState
    } catch {
      // It is where it was, until it is written again.
    }
    let text =
      "what an earlier start left in \(folder.path) to go on with cannot be read (\(reason)), so what waited there is not "
      + "mailed: look into \(folder.path)/\(place), and remove it."
    warn(Warning(code: "mail_state_unreadable", text: text.escapingControlCharacters))
    return nil
  }

  /// The texts of the reports that wait in `folder`.
  public static func texts(in folder: OwnFolder) -> [String] {
    var files = SpoolFiles<MailReport>(folder.path) { _ in }
    return files.load().map(\.report.body)
  }

  private static func unusable(_ words: SpoolWords, _ text: String) -> Warning {
    Warning(code: "\(words.code)_unusable", text: text)
  }
}
