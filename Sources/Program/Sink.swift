public import Model
import Output
public import SystemRuntime

/// Where events go. It delays nothing: what it has no room for is counted in the health of the reports.
public protocol Sink {
  /// False when nobody can take anything, which the first events may not show where they are empty.
  var isOpen: Bool { get }

  /// Takes events in their order; returns what became of them.
  mutating func receive(_ events: [Event]) throws(KernelError) -> WriteOutcome

  /// Takes the last events, and may wait a moment for who is slow.
  mutating func finish(with events: [Event]) throws(KernelError)

  /// Goes on with what waits for a slow reader.
  mutating func flush() throws(KernelError) -> WriteOutcome
}

/// The messages of a program as a sink: warnings and changes of routes, a line each on standard error.
public struct MessageSink: Sink {
  private let diagnostics: Diagnostics

  /// Writes as `diagnostics` does.
  public init(_ diagnostics: Diagnostics) { self.diagnostics = diagnostics }

  /// Always: standard error that was closed loses what is written.
  public var isOpen: Bool { true }

  /// Writes the messages.
  public func receive(_ events: [Event]) -> WriteOutcome {
    // Two codes may be taken back for one reason.
    var said: Set<String> = []
    for event in events {
      switch event {
      case .warning(let warning, _): if said.insert(warning.text).inserted { diagnostics.warning(warning) }
      // Where a rule wants a notification, the line is that of its notification.
      case .route(let changed): if changed.rules.isEmpty { diagnostics.line(RouteLine(changed).description) }
      // The line of an alert or an outage is its notification's; the others are standard output's.
      case .alert, .probeAlert, .outage, .usage, .probe: break
      }
    }
    return .written
  }

  /// Writes the messages.
  public func finish(with events: [Event]) { _ = receive(events) }

  /// Nothing waits here: a line that nobody reads is lost, which is said when somebody reads again.
  public func flush() -> WriteOutcome { .written }
}
