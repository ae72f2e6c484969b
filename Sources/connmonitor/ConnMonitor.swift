import ArgumentParser
import Model
import Output
import Probes
import Program
import SystemRuntime

/// Pings, routes and services of hosts, for ever.
@main struct ConnMonitor: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "connmonitor",
    abstract: "Check the vitals of connections to hosts for ever, as a file says.",
    discussion: """
      Each line of the file is a host and what is asked of it, such as `example.org ping=500 trace=60000 json=true`:
        ping=500        a burst of pings each so many milliseconds; 0 for none
        numpings=10     pings in a burst
        payload=41      bytes of a ping after its header
        trace=0         a trace of the route each so many milliseconds; 0 for none
        hops=30         the most hops of a trace
        hoptimeout=1000 milliseconds that a hop may take to answer
        scan=0          the same of a look at HTTP, HTTPS and MySQL
        json=false      write JSON
        timestamp=true  write the time
      Case does not matter, and what follows a # is a comment. Records are connmonitor 4.1.3's. A route is written when it \
      has changed; hops that do not answer change nothing.

      SIGHUP: the file is read again; one that is wrong changes nothing, one that cannot be read ends the program. SIGTERM, \
      SIGINT: what runs is finished and written; a second one ends at once. When nobody reads the records any more it \
      ends, with status 0.

      Exit status: 0 done; 1 no host can be checked, or the file is wrong or cannot be read; 64 wrong flags; 75 a system \
      call failed, or output was not written.
      """,
    version: "connmonitor Version 4.1.3 (bwmon \(bwmonRelease))")

  @Argument(help: "The file; standard input if absent.")
  var file: String?

  @Flag(help: "Read the file, say whether it is valid, and exit.")
  var checkConfig = false

  @Flag(name: [.customShort("V"), .customShort("v")], help: "Show the version.")
  var showVersion = false

  static func main() {
    do {
      try parse().run()
      end()
    } catch { end(after: error) }
  }

  func run() throws {
    if showVersion { return try StandardOutput.printLine(Self.configuration.version) }
    let diagnostics = Diagnostics(program: "connmonitor")
    let privilege = LeastPrivilege(
      toKeep: file == nil ? .probing : [.probing, .files], anySocket: true)
    privilege.drop(diagnostics)
    let input = TargetInput(file)
    do {
      let list = try input.read()
      for warning in list.warnings { Messages.say(.warning(warning.text)) }
      if list.plans.isEmpty, checkConfig {
        Messages.say(.error(type: "Exception", "No hosts could be parsed!"))
        throw ExitStatus.problems.exitCode
      }
      if checkConfig { return try StandardOutput.printLine("\(input.name) is valid") }
      var monitor = try TargetMonitor(input)
      privilege.fence(diagnostics)
      guard try monitor.run(list) else { throw ExitStatus.problems.exitCode }
    } catch let error as TargetInput.Failure {
      Messages.say(error.message)
      throw ExitStatus.problems.exitCode
    } catch let error as KernelError {
      diagnostics.error(error)
      throw ExitStatus(error).exitCode
    }
  }
}

/// Messages of the original's form, on standard error.
enum Messages {
  static func say(_ message: ConnvitalsMessage) {
    let line = message.line(at: WallClock.now(), color: StandardError.isTerminal)
    StandardError.write("\(line)\n")
  }
}
