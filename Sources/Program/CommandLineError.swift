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
      let given = Array(CommandLine.arguments.dropFirst())
      let message = CommandLineError.sentence(message(for: error), given, help: helpMessage())
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
package enum CommandLineError {
  /// The message for the arguments that were given, with what the parser does not say.
  ///
  /// An unknown option comes before an argument that is missing, a negative number is no missing value, and the error
  /// for a time says how one is written. A suggestion that is not near what was written goes: `--once` is not
  /// `--source`. `help` names all options.
  package static func sentence(_ message: String, _ given: [String], help: String) -> String {
    if message.hasPrefix("Missing expected argument"), let unknown = unknownOption(in: given, help) {
      return "Unknown option '\(unknown)'"
    }
    // Of several guesses the first.
    let message = message.prefix { $0 != "\n" }
    let parts = message.split(separator: "'", omittingEmptySubsequences: false).map(String.init)
    // Missing value for 'OPTION <VALUE>'
    if parts.count == 3, parts[0] == "Missing value for ", let value = negative(after: parts[1], in: given) {
      return "The value '\(value)' is invalid for '\(parts[1])': it is negative"
    }
    // The value 'WRITTEN' is invalid for 'OPTION <seconds>'
    if parts.count == 5, parts[2] == " is invalid for ", parts[3].hasSuffix("<seconds>") {
      return message + ": write a time such as 10, 0.5, 500ms, 5m or 1h"
    }
    // Unknown option 'WRITTEN'. Did you mean 'SUGGESTED'?
    guard parts.count == 5, parts[2] == ". Did you mean " else { return String(message) }
    let isNear = Spelling.nearest(to: parts[1], in: [parts[3]]) != nil
    return isNear ? String(message) : parts[0...1].joined(separator: "'") + "'"
  }

  /// The first of the given options in its long form that the help does not name.
  private static func unknownOption(in given: [String], _ help: String) -> String? {
    let known = Set(help.split { !($0.isLetter || $0.isNumber || $0 == "-") })
    let options = given.prefix { $0 != "--" }.filter { $0.hasPrefix("--") }.map { $0.prefix { $0 != "=" } }
    return options.first { !known.contains($0) }.map(String.init)
  }

  /// The number below zero that was given after an option, as in `--count -1`.
  private static func negative(after option: String, in given: [String]) -> String? {
    let name = option.prefix { $0 != " " }
    return zip(given, given.dropFirst()).first { word, value in
      word == name && value.hasPrefix("-") && DurationText.duration(String(value.dropFirst())) != nil
    }?.1
  }
}
