import Model
import Program
import SystemRuntime

/// All that takes the hub's events: messages, notifications, what is published, and the reports on standard output.
final class HubSinks: Sink {
  private var messages: MessageSink
  private var notifications: NotificationSink
  private var publish: PublishSink?
  private var screen: Screen

  init(
    _ messages: MessageSink, _ notifications: NotificationSink, _ publish: PublishSink?, _ screen: Screen
  ) {
    (self.messages, self.notifications, self.publish, self.screen) = (
      messages, notifications, publish, screen
    )
  }

  /// Whether the reports have a reader; without one the program ends.
  var isOpen: Bool { screen.isOpen }

  func receive(_ events: [Event]) throws(KernelError) -> WriteOutcome {
    try screen.receive(hand(events))
  }

  func finish(with events: [Event]) throws(KernelError) { try screen.finish(with: hand(events)) }

  func flush() throws(KernelError) -> WriteOutcome { try screen.flush() }

  /// Does something else for alerts, and publishes otherwise, from now on.
  func use(_ configuration: AggregatorConfiguration) {
    if let plan = configuration.publish { publish?.use(plan) }
    notifications.use(configuration.actions)
  }

  /// Leaves standard output as whoever writes next wants it.
  func end() { screen.end() }

  /// Ends what publishes, which may take so long.
  func endPublishing(within duration: Duration) { publish?.end(within: duration) }

  /// Hands the events to all but the screen; returns them with what had no room there.
  private func hand(_ events: [Event]) -> [Event] {
    _ = messages.receive(events)
    _ = notifications.receive(events)
    let events = counted(events)
    _ = publish?.receive(events)
    return events
  }

  private func counted(_ events: [Event]) -> [Event] {
    let (notifications, records) = (notifications.dropped, publish?.dropped ?? 0)
    return events.map { event in
      switch event {
      case .usage(var report):
        report.health.droppedNotifications = notifications
        report.health.droppedRecords = records
        return .usage(report)
      case .alert, .probeAlert, .warning, .probe, .outage, .route: return event
      }
    }
  }
}
