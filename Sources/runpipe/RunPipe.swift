import ArgumentParser
import Model
import Output
import Pipes
import Program
import SystemRuntime

/// A TCP port forwarded to another host, counted and, if asked, shaped.
@main struct RunPipe: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "runpipe",
    abstract: "Forward a TCP port to another host; count what goes through, and limit it.",
    discussion: """
      `runpipe 8080 host 80` listens on port 8080 and forwards to port 80 of host; `runpipe 80 host` uses the same port. \
      Bytes are TCP's payload as it was delivered: first what came from clients, then what went to them. Takes its \
      listening socket from systemd if there is one (LISTEN_FDS).

      SIGTERM: nothing is accepted any more, what is open goes on for --drain-timeout. SIGINT: all ends at once. \
      SIGHUP: nothing changes. When nobody reads the reports any more it ends, with status 0. \
      While the disk for them is full it goes on.

      Exit status: 0 done; 64 wrong flags, or a pipe to itself; 69 the port is in use or the address not ours; 75 cut at the end of \
      --drain-timeout, or reports were not written; 77 no privilege for the port; \
      78 a socket of systemd that is not for TCP.
      """,
    version: bwmonVersion)

  @OptionGroup var pipe: PipeOptions

  @Option(help: ArgumentHelp("At SIGTERM, let open connections go on for this time.", valueName: "seconds"))
  var drainTimeout = DurationArgument.seconds(30)

  @Option(
    help: ArgumentHelp(
      "Work on this many threads. (default: one for each processor it may run on, at most 4)", valueName: "n")
  )
  var threads: Int?

  @OptionGroup var report: ReportOptions

  mutating func validate() throws {
    try drainTimeout.validate("--drain-timeout", in: 0...86_400)
    if let threads, !(1...64).contains(threads) {
      throw ValidationError("--threads must be between 1 and 64.")
    }
  }

  static func main() {
    do {
      try parse().run()
      end()
    } catch { end(after: error) }
  }

  func run() throws {
    let diagnostics = Diagnostics(program: "runpipe")
    let privilege = LeastPrivilege(
      toKeep: pipe.clients ? [.forwarding, .naming] : .forwarding, anySocket: true)
    privilege.drop(diagnostics)
    do {
      let loop = try ReportLoop(period: report.period, count: report.count, startsAtOnce: false)
      let meter = try open(try ActivatedListeners.take(), diagnostics)
      privilege.fence(diagnostics)
      try forward(meter, loop, diagnostics)
    } catch let error as KernelError {
      diagnostics.error(error)
      throw ExitStatus(error).exitCode
    }
  }
}

extension RunPipe {
  private func open(_ listeners: [TCPListener], _ diagnostics: Diagnostics) throws -> PipeMeter {
    let threads = threads ?? min(4, Processors.count)
    do throws(PipeError) {
      return try PipeMeter([pipe.configuration], threads: threads, activated: listeners) {
        diagnostics.warning($0)
      }
    } catch {
      diagnostics.error(error)
      throw ExitStatus(error).exitCode
    }
  }

  private func forward(
    _ meter: PipeMeter, _ loop: borrowing ReportLoop, _ diagnostics: Diagnostics
  ) throws {
    var screen = Screen(report, style: .totals, diagnostics)
    defer { screen.end() }
    // Whatever ends it, who is connected sees a reset and no good end.
    defer { meter.stop() }
    var cut = 0
    let limit = drainTimeout.duration
    let drain = Drain(atMost: limit) {
      meter.drain()
      diagnostics.noteDraining(meter.openConnections, atMost: limit)
    } isOver: {
      meter.isDrained
    }
    let measure = { (now: Instant) throws(KernelError) -> [Event] in
      _ = meter.readings(until: now)
      return [.usage(meter.report(at: WallClock.now()))]
    }
    // After a signal the one last report has what was delivered until everything was cut.
    let ending = try loop.run(into: &screen, diagnostics, measure: measure, drain: drain) {
      cut = meter.openConnections
      meter.stop()
      diagnostics.noteCut(cut)
    }
    if ending == .counted { diagnostics.noteCut(meter.openConnections) }
    guard ending == .terminated, cut > 0 else { return }
    throw ExitStatus.temporary.exitCode
  }
}

extension ExitStatus {
  /// What the program exits with when the pipe cannot be opened.
  fileprivate init(_ error: PipeError) {
    self =
      switch error {
      case .at(_, let error): ExitStatus(error)
      case .loop, .ring, .duplicate: .usage
      case .privileged: .noPermission
      case .inUse, .ours, .notLocal, .noInterface, .cannotListen: .unavailable
      case .kernel(let error): ExitStatus(error)
      }
  }
}
