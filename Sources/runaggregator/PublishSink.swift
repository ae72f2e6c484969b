import Model
import Output
import Program
import Publishing
import SystemRuntime

/// Hands events to a publisher, each as the line that `--format json` has for it.
struct PublishSink: Sink {
  private var renderer: JSONRenderer
  private let publisher: Publisher
  private var plan: PublishPlan
  private let diagnostics: Diagnostics

  /// Starts to publish as `plan` says; records wait in its folder, else in `publish` of the folder `state`. Errors: no thread
  /// was to be had.
  init(_ plan: PublishPlan, state: String?, showsAllRows: Bool, _ diagnostics: Diagnostics)
    throws(KernelError)
  {
    (self.plan, self.diagnostics) = (plan, diagnostics)
    let host = HostName.current
    renderer = JSONRenderer(
      origin: JSONRenderer.Origin(host: host, version: bwmonRelease), showsAllRows: showsAllRows)
    publisher = try Publisher(
      plan.configuration, spool: plan.configuration.spool ?? state.map { "\($0)/publish" }, host: host,
      makeSink: plan.makeSink
    ) { diagnostics.warning($0) }
  }

  /// How many events will never arrive.
  var dropped: UInt64 { publisher.dropped }

  /// Always: what cannot be published waits on the disk.
  var isOpen: Bool { true }

  mutating func receive(_ events: [Event]) -> WriteOutcome {
    for event in events {
      let kind = PublishedEvent(event)
      guard plan.configuration.events.contains(kind) else { continue }
      var line: [UInt8] = []
      renderer.render(event, to: &line)
      // Without its line feed.
      publisher.submit(kind, time: WallClock.now(), line.dropLast())
    }
    return .written
  }

  mutating func finish(with events: [Event]) { _ = receive(events) }

  /// Nothing waits here.
  func flush() -> WriteOutcome { .written }

  /// Publishes as `new` says from now on; what waits goes that way as well.
  mutating func use(_ new: PublishPlan) {
    if new.configuration.spool != plan.configuration.spool {
      diagnostics.warning("spool= of [publish] is used from the next start on: restart this program.")
    }
    if !new.isSame(as: plan) { publisher.use(new.configuration, makeSink: new.makeSink) }
    plan = new
  }

  /// Ends; what waits may take so long to arrive, and stays in its folder otherwise.
  func end(within duration: Duration) { publisher.finish(within: duration) }
}
