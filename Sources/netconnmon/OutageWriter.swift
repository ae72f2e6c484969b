import Model
import Output
import Probes
import Program
import SystemRuntime

/// Changes on standard output, each at once; a slow reader delays no check.
struct OutageWriter {
  /// How long a slow reader is waited for at the end.
  private static let farewell = Duration.seconds(1)

  private var output: RetryingOutput
  private let diagnostics: Diagnostics
  /// What writes JSON; nil for the predecessor's lines.
  private var json: JSONRenderer?

  /// Writes in `format`. A table of single lines would be the lines themselves.
  init(_ format: ReportOptions.Format, _ diagnostics: Diagnostics) {
    self.diagnostics = diagnostics
    output = RetryingOutput(diagnostics)
    switch format {
    case .plain, .table: json = nil
    case .json:
      json = JSONRenderer(origin: JSONRenderer.Origin(host: HostName.current, version: bwmonRelease))
    }
  }

  /// Writes a change as far as the reader takes it now.
  mutating func write(_ outage: Outage) throws(KernelError) -> WriteOutcome {
    var text: [UInt8] = []
    if json == nil { text += "\(ConnectivityLine(outage))\n".utf8 }
    json?.render(.outage(outage), to: &text)
    return try output.write(text)
  }

  /// True while standard output cannot be written: `flush` tries again.
  var isFailing: Bool { output.isFailing }

  /// Writes what the reader takes now of what waits.
  mutating func flush() throws(KernelError) -> WriteOutcome {
    let outcome = try output.flush()
    if outcome == .written, !isFailing, let loss = output.takeLossBySlowReader(of: "lines") {
      diagnostics.warning(loss)
    }
    return outcome
  }

  /// Writes what waits, for a second at most.
  mutating func finish() throws(KernelError) { try output.finish(within: Self.farewell) }
}
