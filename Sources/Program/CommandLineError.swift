public import ArgumentParser
import Glibc
import INI
import SystemRuntime

extension ParsableCommand {
  /// Ends the program after `error`, as every program of ours does: what is wrong begins as our other errors do, and
  /// two lines say how it is used. A request for help or the version is answered and ends with 0.
  public static func end(after error: any Error) -> Never {
    if let error = error as? KernelError { end(after: error) }
    let code = exitCode(for: error)
    let name = configuration.commandName ?? "bwmon"
    if code == .success {
      do throws(KernelError) { try StandardOutput.printLine(fullMessage(for: error)) } catch {
        end(after: error)
      }
    } else {
      let message = CommandLineError.sentence(message(for: error))
      // An exit status alone: what it stands for was said before.
      if !message.isEmpty {
        Diagnostics(program: name).error(message)
        StandardError.write(
          "Usage: \(usageString(for: Self.self))\n  See '\(name) --help' for more information.\n")
      }
    }
    end(code)
  }

  /// Ends the program, which has done what it was asked for.
  public static func end() -> Never { end(.success) }

  private static func end(after error: KernelError) -> Never {
    Diagnostics(program: configuration.commandName ?? "bwmon").error(error)
    end(ExitStatus(error).exitCode)
  }

  /// Runs nothing that libraries have registered with atexit(3): threads that have not gone yet still use what these free, as
  /// OpenSSL's state of a thread.
  private static func end(_ code: ExitCode) -> Never {
    fflush(nil)
    _exit(code.rawValue)
  }
}

/// What the command line's parser says, made ours.
enum CommandLineError {
  /// The message, without a suggestion that is not near what was written: `--once` is not `--source`.
  static func sentence(_ message: String) -> String {
    let parts = message.split(separator: "'", omittingEmptySubsequences: false)
    // Unknown option 'WRITTEN'. Did you mean 'SUGGESTED'?
    guard parts.count == 5, parts[2] == ". Did you mean " else { return message }
    let isNear = Spelling.nearest(to: String(parts[1]), in: [String(parts[3])]) != nil
    return isNear ? message : parts[0...1].joined(separator: "'") + "'"
  }
}
