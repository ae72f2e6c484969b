import ArgumentParser
import Channel
import Metering
import Model
import Monitors
import Netfilter
import Ownership
import Patterns
import Program
import SystemRuntime

/// runmonitor as runaggregator's sensor: it measures when it is asked, and ends when nobody asks any more.
///
/// Tracking that was turned on is turned off again however runaggregator ends: also by SIGKILL the socket closes. What a sensor
/// that is killed leaves the next one undoes, or the launcher: they share a note.
struct Sensor: ~Copyable {
  /// After so many measurements memory that lies free is given back.
  private static let measurementsBetweenTrims = 60
  /// After so many the text of the start is unmapped.
  private static let measurementsOfStart = 2

  private var channel: Channel
  /// Set while accounting is to be turned off again.
  private let note: SharedFlag
  private var measurements = 0

  /// Serves whoever started this program, until that ends. Errors: `wrongActivation` where nobody did.
  static func run() throws(KernelError) {
    guard let control = LocalSocket.standardInput() else {
      throw .wrongActivation("--sensor is for runaggregator, which starts this program: start that instead.")
    }
    // Who asks ends it. A service manager's signal to all processes comes before the last question.
    ChildProgram.ignoreSignals()
    // The launcher keeps what its children need. Where the kernel refuses, it works on, as all our programs do.
    do throws(KernelError) { try Confinement.drop(toKeep: .measuring, children: .none) } catch {
      Diagnostics(program: "runaggregator").warning("\(error)")
    }
    let note = try SharedFlag()
    // In its parent this ends with the last child.
    Launcher.serve(control) {
      TrackedTable.undoAccounting(of: note, Diagnostics(program: "runaggregator"))
    } work: { socket in
      ProcessMemory.returnEarly()
      StandardError.divert()
      var sensor = Sensor(channel: Channel(socket), note: note)
      do throws(ChannelError) { try sensor.work() } catch {
        // The hub has gone, or is none that this one understands: what it started was undone.
      }
      RunMonitor.end()
    }
  }

  private init(channel: consuming Channel, note: SharedFlag) {
    self.channel = channel
    self.note = note
  }

  private mutating func work() throws(ChannelError) {
    try channel.send(.hello(version: bwmonRelease))
    guard case .settings(let settings) = try channel.receive(until: nil) else { return }
    do throws(KernelError) { try measure(settings) } catch {
      try sendRemarks()
      try channel.send(.refused(SensorFault(error)))
    }
    // What was undone at the end.
    try sendRemarks()
    try channel.flush()
  }

  private mutating func measure(_ settings: SensorSettings) throws(KernelError) {
    let (source, filters) = try Self.understand(settings)
    let diagnostics = Diagnostics(program: "runaggregator")
    let privilege = LeastPrivilege(toKeep: source.capabilities)
    let witness = try OpenedWitness(source)
    privilege.drop(diagnostics, listens: source.source != .procfs)
    try TrackedTable.with(source, witness, privilege, diagnostics, note: note) {
      (table, warnings) throws(KernelError) in
      let options = MonitorOptions(
        filters: filters, layer: source.layer, countsLookback: settings.countsLookback,
        wantsAncestors: settings.wantsAncestors, hiding: settings.hidden)
      let monitor = Monitor(
        try .host(table, readsNamespaces: source.readsNamespaces), witness: witness.witness,
        interfaces: try InterfaceTable(), options: options, warnings: warnings)
      do throws(ChannelError) {
        try sendRemarks()
        try channel.send(.ready)
        try serve(monitor)
      } catch {
        // Nobody asks any more.
      }
    }
  }

  private mutating func serve(_ monitor: Monitor) throws(ChannelError) {
    while true {
      try channel.flush()
      switch try channel.receive(until: nil) {
      case .measure(let number, let isLast, let paths):
        if isLast { monitor.refresh() }
        monitor.paths = paths
        try answer(number, monitor)
      case .filters(let settings):
        do throws(KernelError) { monitor.use(try Self.filters(settings)) } catch {
          Diagnostics(program: "runaggregator").error(error)
        }
      case .processes(let processes): monitor.adopt(processes)
      default: throw .malformed
      }
    }
  }

  private mutating func answer(_ number: UInt64, _ monitor: Monitor) throws(ChannelError) {
    let message: Message
    do throws(KernelError) {
      message = .measurement(number: number, try monitor.readings(until: .now))
    } catch {
      message = .failure(number: number, SensorFault(error))
    }
    try sendRemarks()
    try channel.send(message)
    measurements += 1
    if measurements == Self.measurementsOfStart { ProcessMemory.unmapTextOfStart() }
    if measurements % Self.measurementsBetweenTrims == 0 { ProcessMemory.returnGaps() }
  }

  private mutating func sendRemarks() throws(ChannelError) {
    for text in StandardError.takeDiverted() { try channel.send(.remark(text)) }
  }

  /// What was asked for. The hub has read the same flags and files, of the same version.
  private static func understand(
    _ settings: SensorSettings
  ) throws(KernelError) -> (SourceOptions, [MonitorFilter]) {
    let source: SourceOptions
    do { source = try SourceOptions.parse(settings.flags) } catch {
      throw .wrongActivation("the sensor does not understand \(settings.flags): \(error)")
    }
    return (source, try filters(settings.filters))
  }

  private static func filters(_ settings: [FilterSettings]) throws(KernelError) -> [MonitorFilter] {
    do throws(PatternError) {
      var filters: [MonitorFilter] = []
      for setting in settings {
        filters.append(
          MonitorFilter(
            include: try patterns(setting.include), exclude: try patterns(setting.exclude),
            ignoresLocal: setting.ignoresLocal, excludesTunnels: setting.excludesTunnels))
      }
      return filters
    } catch {
      throw .wrongActivation("the sensor does not understand a regular expression: \(error)")
    }
  }

  private static func patterns(_ sources: [String]) throws(PatternError) -> [Pattern] {
    var patterns: [Pattern] = []
    for source in sources { patterns.append(try Pattern(source)) }
    return patterns
  }
}

extension SensorFault {
  /// Why the kernel did not answer.
  fileprivate init(_ error: KernelError) {
    let isLasting: Bool
    if case .notPermitted = error { isLasting = true } else { isLasting = false }
    self.init(text: "\(error)", status: ExitStatus(error).rawValue, isLasting: isLasting)
  }
}
