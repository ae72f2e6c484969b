import ArgumentParser
import Model
import Program
import SystemRuntime
import Tstat

/// Directories of logs that were sent, removed.
@main struct TstatCull: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tstat_cull",
    abstract: "Remove tstat's log directories that tstat_send has sent.",
    discussion: """
      Below --directory, each directory whose name ends in .out is removed when the file .processed in it, which tstat_send writes \
      last, is --ttl hours old or older. With --max-bytes the oldest ones (by name) that have this file are removed too, however \
      old it is, until all log directories together take no more.

      What is not marked, of which only a part was sent, in which tstat_send works, or which tstat may still write (the newest of \
      its folder, whose logs have changed within two hours) is never removed; neither is --directory itself. No link is followed, \
      and no other file system entered that is mounted within a log directory.

      Standard error has a line for each that is removed; standard output says what that frees on the disk: allocated blocks of \
      512 bytes, of files that have no other name. With --format json all of it is on standard output, one object a line.

      Exit status: 0 done; 64 wrong flags, or no such directory; 75 something could not be removed or looked at, and the others \
      are done.
      """,
    version: bwmonVersion)

  /// How to say what is done.
  enum Format: String, ExpressibleByArgument, CaseIterable, Sendable { case plain, json }

  @Option(
    name: [.customShort("d", allowingJoined: true), .long],
    help: ArgumentHelp("The root of tstat's log directories.", valueName: "directory"))
  var directory: String

  @Option(
    name: [.customShort("t", allowingJoined: true), .long], parsing: .unconditional,
    help: ArgumentHelp("Keep directories for this long after they were sent.", valueName: "hours"))
  var ttl = 48

  @Option(
    help: ArgumentHelp(
      "All log directories may take this much on the disk, such as 10G, 500M or a number of bytes. (default: no limit)",
      valueName: "size"))
  var maxBytes: ByteSize?

  @Flag(name: [.customShort("D"), .long], help: "Say what would be removed, and remove nothing.")
  var dryRun = false

  @Flag(name: [.customShort("v"), .long], help: "Say also what is kept, and why.")
  var verbose = false

  @Option(help: ArgumentHelp("How to say what is done: plain or json.", valueName: "format"))
  var format = Format.plain

  mutating func validate() throws {
    guard ttl >= 0 else { throw ValidationError("--ttl must not be negative.") }
    guard !directory.isEmpty else { throw ValidationError("--directory must name a directory.") }
  }

  static func main() {
    do {
      try parse().run()
      end()
    } catch { end(after: error) }
  }

  func run() throws {
    let diagnostics = Diagnostics(program: "tstat_cull")
    LeastPrivilege(toKeep: .otherUsersFiles).drop(diagnostics)
    let root: LogRoot
    let directories: LogDirectories
    do throws(LogDirectoryError) {
      root = try LogRoot(directory)
      directories = try LogDirectories(below: root, includesMarked: true)
    } catch {
      diagnostics.error(error)
      throw ExitStatus.usage.exitCode
    }
    let writer = CullWriter(
      isJSON: format == .json, isDryRun: dryRun, isVerbose: verbose, diagnostics: diagnostics)
    var cull = Cull(
      root: root, ttl: ttl, maxBytes: maxBytes?.bytes, isDryRun: dryRun, writer: writer)
    do throws(KernelError) {
      try cull.run(directories)
    } catch {
      diagnostics.error(error)
      throw ExitStatus(error).exitCode
    }
    if cull.hasFailed { throw ExitStatus.temporary.exitCode }
  }
}

extension ByteSize: ExpressibleByArgument {
  /// Reads what a flag has.
  public init?(argument: String) { self.init(argument) }
}
