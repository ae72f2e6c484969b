import ArgumentParser
import Model
import Program
import SystemRuntime
import Tstat

/// tstat's logs to a message queue or a web server, at least once.
@main struct TstatSend: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tstat_send",
    abstract: "Send tstat's logs to RabbitMQ or a web server, each row at least once.",
    discussion: """
      Below --directory, the logs log_tcp_complete and log_udp_complete (also .gz) of each directory whose name ends in .out are \
      read, the earliest directory first. What moved --threshold megabytes or more is sent as JSON arrays of up to 100 objects. \
      When the other side has confirmed all of a directory, .processed is written in it, and it is not sent again.

      How much was confirmed stands in .tstat_send in the directory until then. A run that is killed is continued by the next one: \
      at most --window messages are sent again, with the same message ids. A directory that tstat may still write is left for \
      later: the newest of its folder until there is a later one, or until none of its logs has changed for --settle.

      --config is an INI file with the section [rabbit] or [http]; samples/tstat_send.sample.ini has every key. It is read also \
      with --no-transport. RabbitMQ is connected to also where there is nothing to send.

      SIGINT and SIGTERM end the program after the directory that is being sent; a second one ends it at once.

      Exit status: 0 done; 64 wrong flags, or no such directory; 65 a log is damaged, cannot be read or has no row of use, or what a \
      message says was refused, and all else is done; 75 the other side did not take everything, a file could not be written, or another run works here: the next run \
      goes on; 78 the configuration is wrong, here or on the other side.
      """,
    version: bwmonVersion)

  /// How to say what is done.
  enum Format: String, ExpressibleByArgument, CaseIterable, Sendable { case plain, json }

  @Option(
    name: [.customShort("d", allowingJoined: true), .long],
    help: ArgumentHelp("The root of tstat's log directories.", valueName: "directory"))
  var directory: String

  @Option(
    name: [.customShort("c", allowingJoined: true), .long],
    help: ArgumentHelp("Where the logs go: an INI file.", valueName: "file")
  )
  var config = "./config.ini"

  @Option(
    name: [.customShort("T", allowingJoined: true), .long],
    help: ArgumentHelp("Leave out what moved less: megabytes of 1,000,000 bytes.", valueName: "megabytes"))
  var threshold: Int64 = 1000

  @Option(
    name: [.customShort("t", allowingJoined: true), .long],
    help: ArgumentHelp("How to send: rabbit or http.", valueName: "type"))
  var transport = Transport.rabbit

  @Option(
    name: [.customShort("S", allowingJoined: true), .long],
    help: ArgumentHelp("The sensor_id of each object. (default: the name of this host)", valueName: "id"))
  var sensor: String?

  @Option(
    name: [.customShort("I", allowingJoined: true), .long],
    help: ArgumentHelp(
      "The instance_id of each object, where one sensor has several tstats. (default: the number 0)",
      valueName: "id"))
  var instance: String?

  @Flag(name: [.customShort("s"), .long], help: "End after the first directory that has something to send.")
  var single = false

  @Flag(name: [.customShort("v"), .long], help: "Say also what is passed over, and each message.")
  var verbose = false

  @Flag(name: [.customShort("D"), .long], help: "The same as --verbose.")
  var debug = false

  @Flag(
    name: [.customShort("N"), .long],
    help: "Print what would be sent, each message and a line feed, on standard output; send and mark nothing."
  )
  var noTransport = false

  @Flag(help: "Read the configuration, connect to RabbitMQ, send nothing, and exit.")
  var checkConfig = false

  @Flag(help: "With --no-transport: mark what was printed as sent.")
  var mark = false

  @Option(
    help: ArgumentHelp(
      "How long the logs of the newest directory must be unchanged, such as 7200, 90m or 2h.",
      valueName: "seconds"))
  var settle = DurationArgument.seconds(7200)

  @Option(
    help: ArgumentHelp("The messages that may be under way without a confirmation.", valueName: "count"))
  var window = 64

  @Option(
    help: ArgumentHelp(
      "How long nothing may be confirmed before the run ends with status 75, such as 60, 90s or 10m.",
      valueName: "seconds"))
  var timeout = DurationArgument.seconds(60)

  @Option(
    help: ArgumentHelp(
      "The keys of the objects: 0.6.8 or 0.6.5, as tstat_transport had them.", valueName: "version"))
  var wireFormat = RowOptions.WireFormat.version068

  @Flag(help: "Take the durations of UDP, which are seconds, for milliseconds, as the original does.")
  var compatUdpDurat = false

  @Flag(help: "Send also the directions of UDP without a packet, as the original does.")
  var compatEmptyDirections = false

  @Flag(help: "Add tcp_rwnd_max and tcp_rwnd_min, the receiver's windows.")
  var extended = false

  @Option(
    help: ArgumentHelp(
      "How to say what is done: plain (lines on standard error) or json (an object a line on standard output; on standard error with --no-transport).",
      valueName: "format"))
  var format = Format.plain

  mutating func validate() throws {
    guard !directory.isEmpty else { throw ValidationError("--directory must name a directory.") }
    guard threshold >= 0 else { throw ValidationError("--threshold must not be negative.") }
    guard (1...4096).contains(window) else { throw ValidationError("--window must be between 1 and 4096.") }
    guard !mark || noTransport else {
      throw ValidationError("--mark needs --no-transport: what is sent is marked anyway.")
    }
    guard !checkConfig || !noTransport else {
      throw ValidationError("--check-config and --no-transport exclude each other.")
    }
    try settle.validate("--settle", in: 0...31_536_000)
    try timeout.validate("--timeout", in: 1...31_536_000)
  }

  static func main() {
    do {
      try parse().run()
      end()
    } catch { end(after: error) }
  }

  /// Whether nothing is sent or marked: that is in no other run's way.
  var onlyLooks: Bool { checkConfig || noTransport && !mark }

  /// What shapes the objects.
  var rowOptions: RowOptions {
    var options = RowOptions(
      format: wireFormat, threshold: threshold, sensor: sensor ?? HostName.current, instance: instance)
    options.hasMillisecondsOfUDP = compatUdpDurat
    options.hasEmptyDirections = compatEmptyDirections
    options.isExtended = extended
    return options
  }

  func run() throws {
    let diagnostics = Diagnostics(program: "tstat_send")
    LeastPrivilege(toKeep: .otherUsersFiles).drop(diagnostics)
    let root: LogRoot
    do throws(LogDirectoryError) { root = try LogRoot(directory) } catch {
      diagnostics.error(error)
      throw ExitStatus.usage.exitCode
    }
    let destination: Destination
    do throws(ConfigurationFailure) {
      destination = try Destination(transport, file: config, isPrinted: noTransport, diagnostics)
    } catch {
      diagnostics.error(error)
      throw ExitStatus.configuration.exitCode
    }
    let writer = SendWriter(
      isJSON: format == .json, isVerbose: verbose || debug, isPrinted: noTransport, diagnostics: diagnostics)
    let status: ExitStatus?
    do throws(SendFailure) {
      var run = try SendRun(root: root, destination: destination, command: self, writer: writer)
      try run.run()
      status = run.isUnfinished ? .temporary : run.hasBadData ? .data : nil
    } catch {
      writer.clear()
      guard let text = error.description else { return }
      diagnostics.error(text)
      throw error.status.exitCode
    }
    if let status {
      diagnostics.error("not all directories were sent: the lines before say which, and why.")
      throw status.exitCode
    }
    if checkConfig { try StandardOutput.printLine("\(config) is valid") }
  }
}

extension RowOptions.WireFormat: ExpressibleByArgument {}
