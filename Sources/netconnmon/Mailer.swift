import Curl
import Model
import Notifications
import Probes
import Program
import SystemRuntime

/// Reports by mail: the back-off says when they go, the service sends them and keeps them until then.
struct Mailer {
  private static let stream = "netconnmon"

  private let file: MailFile
  private let spool: String?
  private let diagnostics: Diagnostics
  private var backOff: MailBackOff
  /// What sends; nil without a configuration.
  private(set) var work: MailWork?

  /// Makes one that sends if there is a configuration. Errors: it is wrong, or cannot be read.
  init(_ options: MailOptions, _ diagnostics: Diagnostics) throws(MailFile.Failure) {
    file = MailFile(named: options.mailConfig)
    spool = StateFolder.path(of: "netconnmon", named: options.spool)
    self.diagnostics = diagnostics
    backOff = options.backOff
    if let configuration = try file.read(diagnostics.warning) { start(configuration) }
  }

  /// Takes a change.
  mutating func note(_ outage: Outage) { backOff.note(outage) }

  /// Hands over the report that is to go at `now`, if there is one.
  mutating func sendDue(at now: ContinuousClock.Instant) {
    if let body = backOff.take(at: now) { submit(body) }
  }

  /// Hands over what waits, and has the service end.
  mutating func finish() {
    if let body = backOff.takeRest() { submit(body) }
    work?.finish()
  }

  /// Reads the configuration again. Returns what sends if there was none before: it is to be run.
  mutating func reload() -> MailWork? {
    do throws(MailFile.Failure) {
      guard let configuration = try file.read(diagnostics.warning) else {
        if work != nil {
          diagnostics.warning("there is no \(file.description) any more: mail is sent as before.")
        }
        return nil
      }
      if let work {
        work.service.reload(Self.configurations(configuration))
        return nil
      }
      start(configuration)
      return work
    } catch {
      diagnostics.error("\(error) Mail is sent as before.")
      return nil
    }
  }

  private mutating func start(_ configuration: MailConfiguration) {
    let service = MailService(
      Self.configurations(configuration),
      folder: { [spool, diagnostics] in
        SpoolFolder.take(spool, program: "netconnmon") { diagnostics.warning($0) }
      }, host: HostName.current, now: { WallClock.now() }
    ) { [diagnostics] in diagnostics.warning($0) }
    work = MailWork(service: service)
  }

  /// All its mails are sent alike, wherever the configuration was found.
  private static func configurations(_ configuration: MailConfiguration) -> MailConfigurations {
    var configurations = MailConfigurations()
    configurations.add(configuration, file: "", section: stream)
    return configurations
  }

  private func submit(_ body: String) {
    guard let work else { return }
    if !work.service.submit(subject: MailBackOff.subject, body: body, stream: Self.stream, configuration: "")
    {
      diagnostics.warning("a report is not mailed, as too many wait: see why the mail server takes none.")
    }
  }
}

/// What sends reports.
struct MailWork: Sendable {
  /// How long a mail may take that is sent at the end.
  private static let farewell = Duration.seconds(3)

  let service: MailService

  /// Has `run` end, after one attempt more for what waits.
  func finish() { service.finish(within: Self.farewell) }

  /// Sends until the service is finished.
  func run() async { await service.run() }
}

/// One mail, now, to see whether the configuration is good.
struct MailTest {
  private let file: MailFile
  private let diagnostics: Diagnostics

  init(_ options: MailOptions, _ diagnostics: Diagnostics) {
    file = MailFile(named: options.mailConfig)
    self.diagnostics = diagnostics
  }

  /// Sends a mail and says what became of it; returns what the program exits with, nil when it was sent.
  func run() async -> ExitStatus? {
    do {
      guard let configuration = try file.read(diagnostics.warning) else {
        diagnostics.error("there is no \(file.description): write one, or name it with --mail-config.")
        return .configuration
      }
      let time = WallClock.now()
      let line = "\(time.local) this is a test of netconnmon on \(HostName.current)"
      let outcome = await configuration.send(
        subject: "bwmon: \(line)", body: line + "\n", host: HostName.current, at: time,
        by: try TransferThread())
      return try say(outcome, configuration)
    } catch let failure as MailFile.Failure {
      diagnostics.error(failure)
      return .configuration
    } catch {
      diagnostics.error("\(error)")
      return .temporary
    }
  }

  private func say(_ outcome: MailOutcome?, _ configuration: MailConfiguration) throws -> ExitStatus? {
    switch outcome {
    case .sent(let refused):
      if let first = refused.first {
        let others = refused.count > 1 ? " and \(refused.count - 1) others" : ""
        diagnostics.error(
          "the mail was sent, but not to \(first.address)\(others): \(first.reply): correct the addresses of mail.to."
        )
        return .unavailable
      }
      let place = "\(configuration.server), port \(configuration.port)"
      try StandardOutput.printLine(
        "\(place) has taken a mail for \(configuration.to.joined(separator: ", "))")
      return nil
    case .permanent(let why), .refused(let why, mayBeTakenLater: false):
      diagnostics.error("the mail was not sent: \(why)")
      return .unavailable
    case .transient(let why, _), .refused(let why, mayBeTakenLater: true):
      diagnostics.error(
        "the mail was not sent: \(why) See that \(configuration.server) is well, and try again.")
      return .temporary
    case nil: return .temporary
    }
  }
}
