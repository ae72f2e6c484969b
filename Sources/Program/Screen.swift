public import Model
import Output
import SystemRuntime

/// Where events go: standard output, in the wanted format. Repaints a terminal, appends elsewhere.
public struct Screen: Sink {
  private var renderer: any Renderer
  private let repaints: Bool
  private let isFull: Bool
  private var output: RetryingOutput

  /// Makes the renderer for the format that is wanted; `style` says what the plain lines show. On a terminal the table is
  /// painted over the last one; without NO_COLOR it is emphasised. Where no number of reports is wanted, output that
  /// cannot be written for a while is a warning.
  public init(_ options: ReportOptions, style: PlainRenderer.Style, _ diagnostics: Diagnostics) {
    output = RetryingOutput(retries: options.count == nil, diagnostics)
    let isTerminal = StandardOutput.isTerminal
    isFull = options.full
    switch options.format ?? (isTerminal ? .table : .plain) {
    case .plain:
      renderer = PlainRenderer(style: style)
      repaints = false
    case .json:
      renderer = JSONRenderer(
        origin: JSONRenderer.Origin(host: HostName.current, version: bwmonRelease),
        showsAllRows: options.allRows)
      repaints = false
    case .table:
      renderer = Self.table(isTerminal: isTerminal, isFull: options.full)
      repaints = isTerminal
    }
  }

  /// False when standard output was closed before the program started.
  public var isOpen: Bool { StandardOutput.isOpen }

  /// Writes `events` in their order, as far as the reader takes them now; what becomes of the rest is reported by
  /// `flush`. A report that a slow reader has no room for is left out, and counted in the next one's health.
  public mutating func receive(_ events: [Event]) throws(KernelError) -> WriteOutcome {
    var text: [UInt8] = []
    for event in events { add(event, to: &text) }
    return try output.write(text)
  }

  /// Writes what the reader takes now of what waits.
  public mutating func flush() throws(KernelError) -> WriteOutcome { try output.flush() }

  /// How long a slow reader is waited for when a signal ends the program.
  private static let farewell = Duration.seconds(1)

  /// Writes `events` as the last ones, and waits a second at most for a slow reader. Errors: they cannot be written.
  public mutating func finish(with events: [Event]) throws(KernelError) {
    _ = try receive(events)
    try output.finish(within: Self.farewell)
  }

  private mutating func add(_ event: Event, to text: inout [UInt8]) {
    var event = event
    if case .usage(var report) = event {
      report.health.skippedReports = output.skipped
      event = .usage(report)
    }
    guard repaints else { return renderer.render(event, to: &text) }
    switch event {
    case .usage(let report): paint(report, to: &text)
    // The messages below the table have these.
    case .alert, .probeAlert, .warning, .outage, .route: break
    // The table has no rows for probes.
    case .probe: break
    }
  }

  private func paint(_ report: UsageReport, to text: inout [UInt8]) {
    let messages = StandardError.isTerminal ? StandardError.recent : []
    let frame = Self.table(isTerminal: true, isFull: isFull).frame(
      report, messages: messages.map { String($0.dropLast()) })
    // Home, each line with what was behind it cleared, then clear all below (ECMA-48 CUP, EL, ED).
    let lines = frame.map { $0 + "\u{1b}[K" }.joined(separator: "\r\n")
    text += "\u{1b}[H\(lines)\u{1b}[J".utf8
  }

  /// Leaves the cursor below what was painted, for whatever is written next.
  public mutating func end() {
    // Nobody is left to report to when this fails.
    if repaints { _ = try? output.write(Array("\r\n".utf8)) }
  }

  /// Wider than any command line that is read: in a file nothing is cut.
  private static let wide = 1 << 17

  private static func table(isTerminal: Bool, isFull: Bool) -> TableRenderer {
    let size = isTerminal ? StandardOutput.terminalSize() : nil
    return TableRenderer(
      width: size?.columns ?? (isFull ? wide : 100), height: size?.rows,
      color: isTerminal && Environment.value("NO_COLOR")?.isEmpty ?? true, isFull: isFull)
  }
}
