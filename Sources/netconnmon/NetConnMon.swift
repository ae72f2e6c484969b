import ArgumentParser
import Model
import Probes
import Program
import SystemRuntime

/// Whether the network is up; a line and a mail for each outage.
@main struct NetConnMon: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "netconnmon",
    abstract: "Say when the network goes down and comes back, and mail it.",
    discussion: """
      Connects to a TCP port again and again. The network is up while a connection is made in time; a refused one counts as \
      down, so choose a port that accepts. With --also it is down only when all references fail; all are tried at once. \
      Of a name, all addresses are tried, IPv6 and IPv4; those that were found stay in use while the resolver fails.

      A line says each change; there is none while the network is up from the start. Times are those before the attempt that \
      showed the change, durations do not depend on the clock being set.

      SIGTERM and SIGINT end the program. SIGHUP: the mail configuration is read again. When nobody reads the lines any \
      more it ends, with status 0. Lines that wait are mailed then if the network is up; the mail has three seconds, and stays \
      for the next start. While it is down they stay as well, and the next start goes on with the outage. That holds for a \
      crash too.

      Exit status: 0 done; 64 wrong flags; 69 the mail server refuses the mail of --test-mail; 75 it cannot be reached, a system \
      call failed or lines were not written; 78 the mail configuration is wrong or cannot be read.
      """,
    version: bwmonVersion)

  @OptionGroup var reference: ReferenceOptions

  @Option(
    name: [.customShort("i", allowingJoined: true), .long],
    help: ArgumentHelp(
      "The time between two checks, such as 2, 0.5 or 500ms. 0 is the least that is done, 0.01.",
      valueName: "seconds"))
  var interval = DurationArgument.seconds(2)

  @Option(
    name: [.customShort("m", allowingJoined: true), .long],
    help: ArgumentHelp(
      "An outage that is shorter than this is printed, with (ignored), and not mailed.", valueName: "seconds")
  )
  var minInterruption = DurationArgument.seconds(5)

  @OptionGroup var mail: MailOptions

  @Option(
    help: ArgumentHelp(
      "How to write changes: plain (pyNetConnMon's lines), table (the same) or json.", valueName: "format"))
  var format: ReportOptions.Format = .plain

  /// In seconds. At less, closed connections take all ports of this host, and checks a whole processor.
  private static let leastInterval = 0.01

  mutating func validate() throws {
    if interval.duration != .zero { try interval.validate("--interval", in: Self.leastInterval...86_400) }
    try minInterruption.validate("--min-interruption", in: 0...31_536_000)
  }

  @MainActor static func main() async {
    do {
      try await parse().run()
      end()
    } catch { end(after: error) }
  }

  /// The loop blocks the main thread; mail is sent on others.
  @MainActor func run() async throws {
    let diagnostics = Diagnostics(program: "netconnmon")
    LeastPrivilege(toKeep: []).drop(diagnostics)
    if mail.testMail {
      if let status = await MailTest(mail, diagnostics).run() { throw status.exitCode }
      return
    }
    let references = try reference.references
    let mailer: Mailer
    do throws(MailFile.Failure) {
      mailer = try Mailer(mail, subject: Self.subject(of: references), diagnostics)
    } catch {
      diagnostics.error(error)
      throw ExitStatus.configuration.exitCode
    }
    let failure = await withTaskGroup(of: Void.self) { group in
      watch(references, mailer, diagnostics) { work in group.addTask { await work.run() } }
    }
    if let failure {
      diagnostics.error(failure)
      throw ExitStatus(failure).exitCode
    }
  }

  private static func subject(of references: [ReferenceEndpoint]) -> String {
    references.map(\.description).joined(separator: " ")
  }

  /// Watches until the end; returns why that came early. What sends mail is given to `start`.
  @MainActor private func watch(
    _ references: [ReferenceEndpoint], _ mailer: Mailer, _ diagnostics: Diagnostics,
    start: (MailWork) -> Void
  ) -> KernelError? {
    let tracker = OutageTracker(
      subject: Self.subject(of: references), ignoringShorterThan: minInterruption.duration, start: .now,
      downSince: mailer.downSince)
    if let work = mailer.work { start(work) }
    do throws(KernelError) {
      var loop = try ConnectivityLoop(
        references, timeout: reference.limit, interval: max(interval.duration, .seconds(Self.leastInterval)),
        tracker: tracker,
        writer: OutageWriter(format, diagnostics), mailer: mailer, diagnostics)
      try loop.run(start: start)
      return nil
    } catch {
      mailer.work?.finish()
      return error
    }
  }
}
