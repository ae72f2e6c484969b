import Aggregation
import ArgumentParser
import Kernel
import Model
import Monitors
import Notifications
import Output
import Pipes
import Program

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
      "What to measure: an INI file, a section with type=monitor for each monitor.", valueName: "file"))
  var monitorConfig: String?

  @Option(help: ArgumentHelp("Limits: an INI file, a section for each rule.", valueName: "file"))
  var notificationConfig: String?

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
    if checkConfig, appConfig == nil, monitorConfig == nil, notificationConfig == nil {
      throw ValidationError(
        "--check-config needs --app-config, --monitor-config or --notification-config.")
    }
  }

  private var files: Configuration.Files {
    Configuration.Files(
      applications: appConfig, monitors: monitorConfig, notifications: notificationConfig,
      autoGroup: autoGroup,
      inherit: inherit, excludesTunnels: source.excludeTunnels)
  }

  /// Files that are not named now are never read: what they may ask for is known.
  private var privilege: LeastPrivilege {
    var kept = source.capabilities
    if monitorConfig != nil { kept.formUnion(.forwarding) }
    if notificationConfig != nil { kept.formUnion(.commands) }
    return LeastPrivilege(
      toKeep: kept, runsCommands: notificationConfig != nil, anySocket: monitorConfig != nil)
  }

  private static let valid = "all configuration files are valid"

  @MainActor static func main() async {
    do {
      try await parse().run()
    } catch { end(after: error) }
  }

  /// The loop blocks the main thread; commands run on the others.
  @MainActor func run() async throws {
    ProcessMemory.returnEarly()
    let diagnostics = Diagnostics(program: "runaggregator")
    if source.doctor { return try Doctor.run(source, privilege, diagnostics) }
    var witness: OpenedWitness
    do throws(KernelError) {
      witness = checkConfig || explain != nil ? .none : try OpenedWitness(source)
    } catch {
      diagnostics.error(error)
      throw ExitStatus(error).exitCode
    }
    privilege.drop(diagnostics, listens: source.source != .procfs)
    let configuration: Configuration
    do throws(Configuration.Failure) { configuration = try Configuration(files) } catch {
      diagnostics.error(error)
      throw ExitStatus.configuration.exitCode
    }
    for warning in configuration.warnings { diagnostics.warning(warning) }
    // Nobody would take what it tells.
    if configuration.filters.isEmpty { witness = .none }
    let explained = explain.map { "\(configuration.rules.explain(commandLine: $0))" }
    guard let answer = explained ?? (checkConfig ? Self.valid : nil) else {
      return try await measure(configuration, witness, diagnostics)
    }
    do throws(KernelError) { try StandardOutput.printLine(answer) } catch {
      diagnostics.error(error)
      throw ExitStatus(error).exitCode
    }
  }

  @MainActor private func measure(
    _ configuration: Configuration, _ witness: OpenedWitness, _ diagnostics: Diagnostics
  ) async throws {
    let notifier = Notifier(rules: configuration.commands, host: HostName.current) {
      diagnostics.warning($0)
    }
    let pipes = PipeSet(diagnostics)
    do throws(PipeError) { try pipes.use(configuration.pipes, isStart: true) } catch {
      diagnostics.error(error)
      throw ExitStatus(error).exitCode
    }
    defer { pipes.stop() }
    let failure = await withTaskGroup(of: Void.self) { group in
      group.addTask { [service = notifier.service] in await service.run() }
      let failure = loop(configuration, witness, pipes, notifier, diagnostics)
      notifier.finish()
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
    _ configuration: Configuration, _ witness: OpenedWitness, _ pipes: PipeSet, _ notifier: Notifier,
    _ diagnostics: Diagnostics
  ) -> KernelError? {
    do throws(KernelError) {
      let loop = try ReportLoop(period: report.period, count: report.count, startsAtOnce: true)
      let run = { (monitor: Monitor?) throws(KernelError) in
        var watch = Watch(configuration, monitor, source.layer, pipes, notifier, diagnostics) {
          (filters) throws(KernelError) in
          try makeMonitor(
            of: try TrackedTable.open(source, witness), witness.witness, filters,
            try TrackedTable.warnings(witness, says: diagnostics))
        }
        var screen = Screen(report, style: .applications)
        defer { screen.end() }
        let measure = { (now: ContinuousClock.Instant) throws(KernelError) in
          try watch.tick(until: now, at: WallClock.now())
        }
        try loop.run(
          on: &screen, diagnostics, measure: measure, reload: { watch.reload(files) },
          drain: pipes.drain(for: drainTimeout.duration), beforeLast: pipes.stop,
          refresh: { watch.refresh() })
        // The last report lacks what the monitor measures.
        if let failure = watch.failure { throw failure }
      }
      guard !configuration.filters.isEmpty else {
        if source.enableTracking { diagnostics.note("no monitor is configured: tracking is left as it is") }
        privilege.fence(diagnostics)
        try run(nil)
        return nil
      }
      try TrackedTable.with(source, witness, privilege, diagnostics) {
        (table, warnings) throws(KernelError) in
        try run(try makeMonitor(of: table, witness.witness, configuration.filters, warnings))
      }
      return nil
    } catch {
      return error
    }
  }

  private func makeMonitor(
    of table: any FlowTable, _ witness: WitnessListener?, _ filters: [MonitorFilter], _ warnings: [Warning]
  ) throws(KernelError) -> Monitor {
    Monitor(
      table: table, sockets: SocketTable(), processes: try ProcessTable(),
      addresses: .kernel(try LocalAddressReader()), filters: filters, countsLookback: true,
      wantsAncestors: inherit, readsNamespaces: source.readsNamespaces, interfaces: try InterfaceTable(),
      layer: source.layer, hidesItself: !showSelf, witness: witness, warnings: warnings)
  }
}
