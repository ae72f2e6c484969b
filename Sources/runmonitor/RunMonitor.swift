import ArgumentParser
import Metering
import Model
import Monitors
import Netfilter
import Output
import Ownership
import Patterns
import Program
import SystemRuntime

/// Bytes per process, from netfilter's connection table.
@main struct RunMonitor: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "runmonitor",
    abstract: "Say which process moved how many bytes.",
    discussion: """
      Reads netfilter's connection table: the bytes of IP packets, as the kernel counts them, or with --layer payload \
      what of them applications sent. Without --bandwidth \
      totals are shown, with what the connections that the table has at the start had moved before.

      Needs root, or once: setcap cap_net_admin,cap_dac_read_search,cap_sys_ptrace,cap_bpf,cap_perfmon+ep runmonitor. Exit status: 0 \
      done; 1 --doctor found something; 64 wrong flags; 69 the kernel does not count, or cannot, and no BPF program is at work; 75 try again; 77 no privilege.
      """,
    version: bwmonVersion)

  @Option(
    parsing: .unconditionalSingleValue,
    help: ArgumentHelp(
      "Show only processes whose command line this regular expression finds. Repeatable.", valueName: "regex"),
    transform: { try Pattern($0) })
  var include: [Pattern] = []

  @Option(
    parsing: .unconditionalSingleValue,
    help: ArgumentHelp(
      "Hide processes whose command line this regular expression finds. Repeatable.", valueName: "regex"),
    transform: { try Pattern($0) })
  var exclude: [Pattern] = []

  @Flag(help: "Show bytes per second instead of totals.")
  var bandwidth = false

  @Flag(help: "Count from the start only, not what open connections had moved before.")
  var noLookback = false

  @Flag(help: "Leave out what moves between two addresses of this host.")
  var ignoreLocal = false

  @Flag(help: ArgumentHelp("Serve runaggregator, which starts this program so.", visibility: .hidden))
  var sensor = false

  @OptionGroup var report: ReportOptions
  @OptionGroup var source: SourceOptions

  static func main() {
    do {
      try parse().run()
      end()
    } catch { end(after: error) }
  }

  func run() throws {
    let diagnostics = Diagnostics(program: "runmonitor")
    if sensor {
      do throws(KernelError) { return try Sensor.run() } catch {
        diagnostics.error(error)
        throw ExitStatus(error).exitCode
      }
    }
    ProcessMemory.returnEarly()
    let privilege = LeastPrivilege(toKeep: source.capabilities)
    if source.doctor { return try Doctor.run(source, privilege, diagnostics) }
    do throws(KernelError) {
      let witness = try OpenedWitness(source)
      privilege.drop(diagnostics, listens: source.source != .procfs)
      let loop = try ReportLoop(
        period: report.period, count: report.count, startsAtOnce: !noLookback && !bandwidth)
      try TrackedTable.with(source, witness, privilege, diagnostics) {
        (table, warnings) throws(KernelError) in
        try measure(table, witness.witness, warnings, loop, diagnostics)
      }
    } catch {
      diagnostics.error(error)
      throw ExitStatus(error).exitCode
    }
  }

  private func measure(
    _ table: any FlowTable, _ witness: WitnessListener?, _ warnings: [Warning], _ loop: borrowing ReportLoop,
    _ diagnostics: Diagnostics
  ) throws(KernelError) {
    let layer = source.layer
    let filter = MonitorFilter(
      include: include, exclude: exclude, ignoresLocal: ignoreLocal, excludesTunnels: source.excludeTunnels)
    let monitor = Monitor(
      try .host(table, readsNamespaces: source.readsNamespaces), witness: witness,
      interfaces: try InterfaceTable(),
      options: MonitorOptions(filters: [filter], layer: layer, countsLookback: !noLookback),
      warnings: warnings)
    // A script that wants so many reports waits for them, and not for ever.
    var guarded = GuardedMeter(monitor, self.report.count == nil ? .afterTheFirst : .none)
    var totals = ProcessTotals()
    var notice = IncludeNotice([filter], option: "--include")
    var isLast = false
    let start = Instant.now
    var screen = Screen(report, style: bandwidth ? .rates : .totals, diagnostics)
    defer { screen.end() }
    let measure = { (now: Instant) throws(KernelError) in
      let time = WallClock.now()
      let (measurement, isMissing) = try guarded.outcome(until: now, isAlone: true)
      var warnings = measurement.warnings
      var reports: [Event] = []
      if !isMissing {
        totals.add(measurement)
        var report = totals.report(at: time)
        report.layer = layer
        warnings += [notice.update(with: report, after: now - start, isLast: isLast)].compactMap(\.self)
        reports.append(.usage(report))
      }
      for warning in warnings { diagnostics.warning(warning) }
      return warnings.map { Event.warning($0, at: time) } + reports
    }
    let refresh = {
      isLast = true
      monitor.refresh()
      guarded.hurry()
    }
    try loop.run(into: &screen, diagnostics, measure: measure, refresh: refresh)
    // The last report is missing.
    if let failure = guarded.failure { throw failure }
  }
}
