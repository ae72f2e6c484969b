import Curl
import Model
import Notifications
import Probes
import Program
import SystemRuntime

/// Reports by mail: the back-off says when they go, the service sends them and keeps them until then. What waits for the
/// back-off is in a file of the same folder, so that a restart goes on with it.
struct Mailer {
  private static let stream = "netconnmon"

  private let file: MailFile
  private let spool: String?
  private let subject: String
  private let diagnostics: Diagnostics
  private var backOff: MailBackOff
  /// The folder, if this program has it; there is one from the first configuration on.
  private var folder: OwnFolder?
  /// What the file says, or will.
  private var kept: OutageMemory
  /// What sends; nil without a configuration.
  private(set) var work: MailWork?
  /// Since when an outage lasts that was under way when an earlier run ended.
  private(set) var downSince: Instant?

  /// Makes one that sends if there is a configuration, of outages of `subject`; it goes on where an earlier run ended. Errors:
  /// the configuration is wrong, or cannot be read.
  init(_ options: MailOptions, subject: String, _ diagnostics: Diagnostics) throws(MailFile.Failure) {
    file = MailFile(named: options.mailConfig)
    spool = StateFolder.path(of: "netconnmon", named: options.spool)
    self.subject = subject
    self.diagnostics = diagnostics
    backOff = options.backOff
    kept = OutageMemory(subject: subject)
    guard let configuration = try file.read(diagnostics.warning) else { return }
    let memory = start(configuration)
    downSince = memory?.subject == subject ? memory?.downSince : nil
    if let memory { backOff.resume(memory, isDown: downSince != nil) }
    if downSince != nil {
      diagnostics.note(
        "the network was down when netconnmon ended: that outage goes on until a check succeeds.")
    }
  }

  /// Takes what a check at `now` has shown: the change, if it is one, and since when the network is down. Hands over the
  /// report that is to go, if there is one.
  mutating func note(_ change: Outage?, downSince: Instant?, at now: Instant) {
    if let change { backOff.note(change) }
    if let body = backOff.take(at: now) { return submit(body, downSince, at: now) }
    let memory = backOff.memory(of: subject, downSince: downSince)
    guard folder != nil, memory != kept, let work else { return }
    if work.service.keep(memory.file(at: now, .now())) { kept = memory }
  }

  /// Has the service end. What waits is handed over, unless the network is down: then the next start tells it with the rest.
  mutating func finish(downSince: Instant?, at now: Instant) {
    if let body = backOff.takeRest(at: now, evenIfDown: folder == nil) { submit(body, downSince, at: now) }
    work?.finish(state(downSince, at: now))
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
      // Whether it is down is known by now.
      if let memory = start(configuration) { backOff.resume(memory, isDown: false) }
      return work
    } catch {
      diagnostics.error("\(error) Mail is sent as before.")
      return nil
    }
  }

  /// Starts to send; returns what an earlier run left.
  private mutating func start(_ configuration: MailConfiguration) -> OutageMemory? {
    let own = SpoolFolder.take(spool, program: "netconnmon") { [diagnostics] in diagnostics.warning($0) }
    folder = own
    let service = MailService(
      Self.configurations(configuration), folder: { own }, host: HostName.current, now: { WallClock.now() }
    ) { [diagnostics] in diagnostics.warning($0) }
    work = MailWork(service: service)
    guard let own else { return nil }
    let memory = SpoolFolder.state(in: own, { OutageMemory(file: $0, at: .now, .now()) }) { [diagnostics] in
      diagnostics.warning($0)
    }
    guard var memory else { return nil }
    kept = memory
    // A crash came between the report and this file: what waits is in a report already, which is made when the network is up.
    let text = memory.lines.joined(separator: "\n")
    if !memory.lines.isEmpty, SpoolFolder.texts(in: own).contains(where: { $0.contains(text) }) {
      (memory.lines, memory.leftOut, memory.downSince) = ([], 0, nil)
    }
    return memory
  }

  /// All its mails are sent alike, wherever the configuration was found.
  private static func configurations(_ configuration: MailConfiguration) -> MailConfigurations {
    var configurations = MailConfigurations()
    configurations.add(configuration, file: "", section: stream)
    return configurations
  }

  /// What the next start is to know; nil without a folder for it.
  private mutating func state(_ downSince: Instant?, at now: Instant)
    -> [UInt8]?
  {
    if folder == nil { return nil }
    kept = backOff.memory(of: subject, downSince: downSince)
    return kept.file(at: now, .now())
  }

  private mutating func submit(
    _ body: String, _ downSince: Instant?, at now: Instant
  ) {
    guard let work else { return }
    let isTaken = work.service.submit(
      subject: MailBackOff.subject, body: body, stream: Self.stream, configuration: "",
      state: state(downSince, at: now))
    if !isTaken {
      diagnostics.warning("a report is not mailed, as too many wait: see why the mail server takes none.")
    }
  }
}

/// What sends reports.
struct MailWork: Sendable {
  /// How long a mail may take that is sent at the end.
  private static let farewell = Duration.seconds(3)

  let service: MailService

  /// Has `run` end, after one attempt more for what waits; `state` is kept.
  func finish(_ state: [UInt8]? = nil) { service.finish(within: Self.farewell, state: state) }

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
    case .permanent(let why), .denied(let why), .refused(let why, mayBeTakenLater: false):
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
