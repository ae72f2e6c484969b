import Kernel
import Model
import Output

/// Where events go: standard output, in the wanted format. Repaints a terminal, appends elsewhere.
public struct Screen {
  private var renderer: any Renderer
  private let repaints: Bool

  /// Makes the renderer for `format`; `style` says what the plain lines show. On a terminal the table is
  /// painted over the last one; without NO_COLOR it is emphasised.
  public init(_ format: ReportOptions.Format?, style: PlainRenderer.Style) {
    let isTerminal = StandardOutput.isTerminal
    switch format ?? (isTerminal ? .table : .plain) {
    case .plain:
      renderer = PlainRenderer(style: style)
      repaints = false
    case .json:
      renderer = JSONRenderer()
      repaints = false
    case .table:
      renderer = Self.table(isTerminal: isTerminal)
      repaints = isTerminal
    }
  }

  /// Writes `events` in their order; returns whether anybody still reads.
  public mutating func show(_ events: [Event]) throws(KernelError) -> StandardOutput.Outcome {
    for event in events {
      guard try show(event) == .written else { return .closed }
    }
    return .written
  }

  private mutating func show(_ event: Event) throws(KernelError) -> StandardOutput.Outcome {
    guard repaints else {
      let text = renderer.render(event)
      return text.isEmpty ? .written : try StandardOutput.write(text)
    }
    guard case .usage(let report) = event else { return .written }
    let messages = StandardError.isTerminal ? StandardError.recent : []
    let frame = Self.table(isTerminal: true).frame(report, messages: messages.map { String($0.dropLast()) })
    // Home, each line with what was behind it cleared, then clear all below (ECMA-48 CUP, EL, ED).
    let lines = frame.map { $0 + "\u{1b}[K" }.joined(separator: "\r\n")
    return try StandardOutput.write("\u{1b}[H" + lines + "\u{1b}[J")
  }

  /// Leaves the cursor below what was painted, for whatever is written next.
  public func end() {
    // Nobody is left to tell when this fails.
    if repaints { _ = try? StandardOutput.write("\r\n") }
  }

  private static func table(isTerminal: Bool) -> TableRenderer {
    let size = isTerminal ? StandardOutput.terminalSize() : nil
    return TableRenderer(
      width: size?.columns ?? 100, height: size?.rows,
      color: isTerminal && Environment.value("NO_COLOR")?.isEmpty ?? true)
  }
}
