import Aggregation
import ArgumentParser
import Channel
import Curl
import Metering
import Model
import Monitors
import Notifications
import Output
import Pipes
import Program
import SystemRuntime

/// Bytes per application, and commands when a limit is crossed.
@main struct RunAggregator: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "runaggregator",
    abstract: "Group processes into applications; run commands when one crosses a limit.",
    discussion: """
      Reads netfilter's connection table, groups processes by the rules of --app-config (the first that fits), and \
      watches the limits of --notification-config. SIGHUP reads all files again, and uses them only if all are valid.

      Exit status: 0 done; 1 --doctor found something; 64 wrong flags; 69 the kernel does not count, or cannot, and no BPF program is at work; 75 try again, or pipes were cut at the end of --drain-timeout; 77 no privilege; \
      78 a configuration file is wrong.
      """,
    version: bwmonVersion)

  @Option(
    help: ArgumentHelp(
      "Application rules: an INI file, a section for each application, in it lines shortname=regex; also shortname=unit:regex and shortname=container:regex, for systemd units and containers.",
      valueName: "file"))
  var appConfig: String?

  @Option(
    help: ArgumentHelp(
      "What to measure: an INI file, a section for each monitor (type=monitor), pipe (type=pipe) and probe (type=ping, trace, scan or connect).",
      valueName: "file"))
  var monitorConfig: String?

  @Option(
    help: ArgumentHelp(
      "Limits of applications' bandwidth and of what probes find (loss, round-trip time, down): an INI file, a section for each rule.",
      valueName: "file"))
  var notificationConfig: String?

  @Option(
    help: ArgumentHelp(
      "Publish reports and alerts as JSON: an INI file with a section [publish], which names who gets them. What waits is kept on the disk.",
      valueName: "file"))
  var publishConfig: String?

  @Option(
    help: ArgumentHelp(
      "The folder, an absolute path for this program alone, of what is to be there after a restart: mails and webhooks of alerts that wait, what fires, and what is to be published. (default: systemd's StateDirectory=, else /var/lib/bwmon/runaggregator for root, else ~/.local/state/bwmon/runaggregator)",
      valueName: "folder"))
  var spool: String?

  @Flag(help: "Group what no rule claims by its program, or by its script if it is run by an interpreter.")
  var autoGroup = false

  @Flag(help: "What no rule claims belongs to its nearest ancestor's application.")
  var inherit = false

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Say which rule claims a process with this command line, and exit.", valueName: "command line"))
  var explain: String?

  @Flag(help: "Read all configuration files, say whether they are valid, and exit.")
  var checkConfig = false

  @Flag(
    help:
      "Show also what this program itself moves: its pipes' connections, which the pipes' rows have already, and its look-ups of names."
  )
  var showSelf = false

  @Option(
    help: ArgumentHelp(
      "At SIGTERM, let open connections of pipes go on for this time.", valueName: "seconds"))
  var drainTimeout = DurationArgument.seconds(0)

  @OptionGroup var report: ReportOptions
  @OptionGroup var source: SourceOptions

  mutating func validate() throws {
    try drainTimeout.validate("--drain-timeout", in: 0...86_400)
    if let spool, !spool.hasPrefix("/") {
      throw ValidationError("--spool must be an absolute path, as /var/lib/bwmon/runaggregator.")
    }
    if checkConfig, appConfig == nil, monitorConfig == nil, notificationConfig == nil, publishConfig == nil {
      throw ValidationError(
        "--check-config needs --app-config, --monitor-config, --notification-config or --publish-config.")
    }
  }

  private var files: AggregatorConfiguration.Files {
    AggregatorConfiguration.Files(
      applications: appConfig, monitors: monitorConfig, notifications: notificationConfig,
      publish: publishConfig, autoGroup: autoGroup, inherit: inherit, excludesTunnels: source.excludeTunnels)
  }

  /// Files that are not named now are never read: what they may ask for is known.
  private var privilege: LeastPrivilege {
    var kept: Capabilities = []
    // Root's configuration may lie in another user's folder.
    if [appConfig, monitorConfig, notificationConfig, publishConfig].contains(where: { $0 != nil }) {
      kept.formUnion(.files)
    }
    if monitorConfig != nil { kept.formUnion([.forwarding, .probing]) }
    if notificationConfig != nil { kept.formUnion(.commands) }
    return LeastPrivilege(
      toKeep: kept, runsCommands: notificationConfig != nil,
      anySocket: monitorConfig != nil || publishConfig != nil, writesFiles: publishConfig != nil)
  }

  /// How long mails may take that wait at the end, and what is to be published.
  private static let farewell = Duration.seconds(3)

  private static let valid = "all configuration files are valid"

  @MainActor static func main() async {
    do {
      try await parse().run()
      end()
    } catch { end(after: error) }
  }

  /// The loop blocks the main thread; commands run on the others.
  @MainActor func run() async throws {
    ProcessMemory.returnEarly()
    let diagnostics = Diagnostics(program: "runaggregator")
    let sensor: SensorSource
    do throws(KernelError) {
      if source.doctor {
        throw ProgramFile.become(try SensorProgram.path(), [SensorProgram.name] + source.flags)
      }
      sensor =
        checkConfig || explain != nil
        ? .none
        : SensorSource(
          settings, undoesTracking: source.enableTracking && !source.keepTracking, diagnostics)
    } catch {
      diagnostics.error(error)
      throw ExitStatus(error).exitCode
    }
    privilege.drop(diagnostics)
    let configuration: AggregatorConfiguration
    do throws(AggregatorConfiguration.Failure) { configuration = try AggregatorConfiguration(files) } catch {
      if checkConfig { checkEachFile(diagnostics) } else { diagnostics.error(error) }
      throw ExitStatus.configuration.exitCode
    }
    for warning in configuration.warnings { diagnostics.warning(warning) }
    let explained = explain.map { "\(configuration.rules.explain(commandLine: $0))" }
    guard let answer = explained ?? (checkConfig ? Self.valid : nil) else {
      return try await measure(configuration, sensor, diagnostics)
    }
    do throws(KernelError) { try StandardOutput.printLine(answer) } catch {
      diagnostics.error(error)
      throw ExitStatus(error).exitCode
    }
  }

  /// Says what is wrong with each file: the first error does not hide what the others have.
  private func checkEachFile(_ diagnostics: Diagnostics) {
    for file in files.each {
      do throws(AggregatorConfiguration.Failure) {
        for warning in try AggregatorConfiguration(file).warnings { diagnostics.warning(warning) }
      } catch { diagnostics.error(error) }
    }
  }

  @MainActor private func measure(
    _ configuration: AggregatorConfiguration, _ sensor: SensorSource, _ diagnostics: Diagnostics
  ) async throws {
    let line = LineDelivery { diagnostics.line($0) }
    let transfers: TransferThread
    do throws(CurlError) { transfers = try TransferThread() } catch {
      diagnostics.error(error)
      throw ExitStatus.temporary.exitCode
    }
    let state = StateFolder.path(of: "runaggregator", named: spool)
    let mail = MailService(
      configuration.actions.mailConfigurations, path: state,
      folder: { SpoolFolder.take(state, program: "runaggregator") { diagnostics.warning($0) } },
      host: HostName.current, now: { WallClock.now() }
    ) { diagnostics.warning($0) }
    let waiting = state.map { "\($0)/webhooks" }
    let webhooks = WebhookSpool(
      path: waiting,
      folder: {
        SpoolFolder.take(waiting, of: .webhooks, program: "runaggregator") { diagnostics.warning($0) }
      }, now: { WallClock.now() })
    // Without rules nothing fires, and behind the fence no file is made.
    let firing = FiringFile(
      in: notificationConfig == nil ? nil : state.map { "\($0)/alerts" }, program: "runaggregator",
      decode: FiringAlerts.alerts(in:)
    ) { diagnostics.warning($0) }
    if !firing.found.isEmpty {
      diagnostics.note("alerts of the last run that go on, and are not reported again: \(firing.found.count)")
    }
    let notifier = Notifier(
      rules: configuration.actions.commands,
      others: configuration.actions.deliveries(by: transfers, mail: mail), line: line, spool: webhooks
    ) { diagnostics.warning($0) }
    let pipes = PipeSource(diagnostics)
    let probes = ProbeSource(configuration.probeRules)
    do throws(PipeError) { try pipes.use(configuration.pipes, isStart: true) } catch {
      diagnostics.error(error)
      throw ExitStatus(error).exitCode
    }
    defer { pipes.stop() }
    let publish: PublishSink?
    do throws(KernelError) {
      publish = try configuration.publish.map { plan throws(KernelError) in
        try PublishSink(
          plan, state: state, showsAllRows: report.allRows, diagnostics)
      }
    } catch {
      diagnostics.error(error)
      throw ExitStatus(error).exitCode
    }
    let failure = await withTaskGroup(of: Void.self) { group in
      group.addTask { await mail.run() }
      group.addTask { await firing.run() }
      group.addTask { [service = notifier.service] in
        await service.run()
        // What it has handed over is known there by now.
        mail.finish(within: Self.farewell)
      }
      let sinks = HubSinks(
        MessageSink(diagnostics), NotificationSink(notifier, transfers, mail, firing), publish,
        Screen(report, style: .applications, diagnostics))
      let failure = loop(configuration, sensor, pipes, probes, firing.found, sinks, diagnostics)
      firing.finish()
      notifier.finish()
      sinks.endPublishing(within: Self.farewell)
      return failure
    }
    if let failure {
      diagnostics.error(failure)
      throw ExitStatus(failure).exitCode
    }
    if pipes.cut > 0 { throw ExitStatus.temporary.exitCode }
  }

  /// Measures until the end; returns why it ended early.
  @MainActor private func loop(
    _ configuration: AggregatorConfiguration, _ sensor: SensorSource, _ pipes: PipeSource,
    _ probes: ProbeSource, _ firing: [FiringAlert], _ sinks: HubSinks, _ diagnostics: Diagnostics
  ) -> KernelError? {
    do throws(KernelError) {
      let loop = try ReportLoop(period: report.period, count: report.count, startsAtOnce: true)
      defer { sensor.close() }
      privilege.fence(diagnostics)
      if !configuration.filters.isEmpty {
        try sensor.start(configuration.filters.map(FilterSettings.init))
      } else if source.enableTracking {
        diagnostics.note("no monitor is configured: tracking is left as it is")
      }
      probes.use(configuration.probes, configuration.probeRules)
      if case .failed(let error, _, _) = probes.state { throw error }
      var hub = Hub(configuration, sensor, pipes, probes, source.layer, diagnostics)
      hub.restore(
        firing.compactMap(\.report.ofUsage), firing.compactMap(\.report.ofProbe), at: .now, WallClock.now())
      var sinks = sinks
      defer { sinks.end() }
      let measure = { (now: Instant) throws(KernelError) in
        try hub.tick(until: now, at: WallClock.now())
      }
      let reload = { [sinks] in
        if let configuration = hub.reload(files) { sinks.use(configuration) }
      }
      let ending = try loop.run(
        into: &sinks, diagnostics, measure: measure, reload: reload,
        drain: pipes.drain(for: drainTimeout.duration), beforeLast: pipes.cutOpen,
        refresh: { hub.refresh() })
      if ending == .counted { pipes.cutOpen() }
      return hub.failure
    } catch {
      return error
    }
  }

  private var settings: SensorSettings {
    var settings = SensorSettings(flags: source.flags, filters: [])
    settings.wantsAncestors = inherit
    settings.hidden = showSelf ? nil : ChildProgram.ownPid()
    return settings
  }
}
