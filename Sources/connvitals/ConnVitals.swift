import ArgumentParser
import Model
import Output
import Probes
import Program
import SystemRuntime

/// Pings, routes and services of hosts, once.
@main struct ConnVitals: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "connvitals",
    abstract: "Check the vitals of connections to hosts, once: loss and round-trip time, route, services.",
    discussion: """
      `connvitals -ts example.org 192.0.2.1` pings both hosts, traces the routes and looks for web and MySQL servers. Names \
      are looked up, IPv6 included; a host that is named twice is asked once. Pings need no privilege where \
      net.ipv4.ping_group_range has the user's group, else CAP_NET_RAW; without both they are lost, and a line says what to do. \
      So do traces, which else use UDP.

      plain, and -j, are connvitals 4.3.2's lines: min, mean, max, sample deviation (ms) and loss (%), -1 and 100 where \
      nothing came back; a line a hop, * for one that does not answer; HTTP, HTTPS and MySQL, None for what is not there.

      Exit status: 0 done, whatever was found; 1 no host has an address; 64 wrong flags; 75 a system call failed, \
      or output was not written.
      """,
    version: "connvitals 4.3.2 (bwmon \(bwmonRelease))")

  /// How reports are written.
  enum Format: String, ExpressibleByArgument, CaseIterable {
    case plain, table, json
  }

  @Argument(help: "The hosts: names or addresses.")
  var hosts: [String]

  @Option(
    name: [.customShort("H", allowingJoined: true), .long],
    help: ArgumentHelp("Look for at most this many hops.", valueName: "n"))
  var hops = 30

  @Option(
    name: [.customShort("p", allowingJoined: true), .long],
    help: ArgumentHelp("Send this many pings to each host.", valueName: "n")
  )
  var pings = 10

  @Flag(name: [.customShort("P"), .customLong("no-ping")], help: "Send no pings.")
  var noPing = false

  @Flag(name: [.customShort("t"), .long], help: "Trace the route to each host.")
  var trace = false

  @Option(
    help: ArgumentHelp(
      "Trace this many flows, 1 to 64, and show each path that they take: routers that balance send each flow one way. With --trace; not with -j or --format plain. Try --udp, too.",
      valueName: "n"))
  var flows = 1

  @Flag(
    help:
      "Trace by UDP also where ICMP is permitted: many routers, those of Linux among them, balance pings by their addresses alone."
  )
  var udp = false

  @Flag(
    name: [.customShort("s"), .long],
    help: "Look at port 80 (HTTP), 443 (HTTPS, any certificate) and 3306 (MySQL or MariaDB).")
  var portScan = false

  @Option(
    help: ArgumentHelp(
      "The bytes of a ping after its header; with fewer than 18 copies of this program that ping one host from one user are told apart by the kernel alone.",
      valueName: "bytes"))
  var payloadSize = 41

  @Flag(name: [.customShort("j"), .long], help: "Write connvitals' JSON: a line a host.")
  var json = false

  @Option(
    help: ArgumentHelp(
      "How to write reports: plain, table or json (one event a line). (default: table on a terminal and with several flows, plain elsewhere)"
    ))
  var format: Format?

  @Option(help: ArgumentHelp("How long a ping or a service may take to answer.", valueName: "seconds"))
  var timeout = DurationArgument.seconds(2)

  @Option(help: ArgumentHelp("How long a hop may take to answer.", valueName: "seconds"))
  var hopTimeout = DurationArgument.seconds(1)

  @Flag(name: [.customShort("V")], help: "Show the version.")
  var version = false

  mutating func validate() throws {
    if hosts.isEmpty { throw ValidationError("Name at least one host.") }
    guard (1...255).contains(hops) else { throw ValidationError("--hops must be between 1 and 255.") }
    guard (0...10_000).contains(pings) else { throw ValidationError("--pings must be between 0 and 10000.") }
    guard (0...65_507).contains(payloadSize) else {
      throw ValidationError("--payload-size must be between 0 and 65507.")
    }
    let flowCounts = ProbeJob.Trace.flowCounts
    guard flowCounts.contains(flows) else {
      throw ValidationError("--flows must be between \(flowCounts.lowerBound) and \(flowCounts.upperBound).")
    }
    if udp, !trace { throw ValidationError("--udp is of traces: add --trace.") }
    if flows > 1, !trace { throw ValidationError("--flows is of traces: add --trace.") }
    if flows > 1, json || format == .plain {
      throw ValidationError(
        "connvitals' own lines have one path: for several flows write --format table or --format json.")
    }
    if json, format != nil { throw ValidationError("-j and --format exclude each other: give one.") }
    try timeout.validate("--timeout", in: 0.01...600)
    try hopTimeout.validate("--hop-timeout", in: 0.01...600)
  }

  static func main() {
    do {
      let words = Array(CommandLine.arguments.dropFirst())
      // The parser would ask for hosts first.
      if words.contains(where: { $0 == "-V" || $0 == "--version" }) {
        try StandardOutput.printLine(configuration.version)
        end()
      }
      let rest = words.firstIndex(of: "--") ?? words.endIndex
      try parse(words[..<rest].flatMap(separated) + words[rest...]).run()
      end()
    } catch { end(after: error) }
  }

  /// Flags with an option and its value behind them, each by itself: `-jp2` is `-j -p2`, as the original takes it.
  private static func separated(_ word: String) -> [String] {
    let flags = word.dropFirst().prefix { "Ptsj".contains($0) }
    let rest = word.dropFirst(1 + flags.count)
    guard word.hasPrefix("-"), !flags.isEmpty, rest.hasPrefix("H") || rest.hasPrefix("p") else {
      return [word]
    }
    return ["-\(flags)", "-\(rest)"]
  }

  func run() throws {
    let diagnostics = Diagnostics(program: "connvitals")
    let privilege = LeastPrivilege(toKeep: .probing, anySocket: true)
    privilege.drop(diagnostics)
    let jobs = resolve()
    guard !jobs.isEmpty else {
      say(.error(type: "str", "No hosts could be parsed! Exiting..."))
      throw ExitStatus.problems.exitCode
    }
    do throws(KernelError) {
      let engine = try ProbeEngine()
      privilege.fence(diagnostics)
      try report(jobs, engine)
    } catch {
      diagnostics.error(error)
      throw ExitStatus(error).exitCode
    }
  }
}
