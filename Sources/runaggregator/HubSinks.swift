import Curl
import Model
import Notifications
import Output
import Program
import SystemRuntime

/// All that takes the hub's events: messages, notifications of alerts, what is published, and the reports on standard output.
final class HubSinks: Sink {
  private var messages: MessageSink
  private var notifier: Notifier
  private var screen: Screen
  private var publish: PublishSink?
  private let transfers: TransferThread
  private let mail: MailService
  /// What fires, for the next start.
  private var firing = FiringAlerts()
  private let file: FiringAlertsFile
  private let host = HostName.current

  /// What fired at the end of the last run is not reported again.
  init(
    _ messages: MessageSink, _ notifier: Notifier, _ transfers: TransferThread, _ mail: MailService,
    _ firing: FiringAlertsFile, _ screen: Screen, _ publish: PublishSink?
  ) {
    (self.messages, self.notifier, self.screen, self.publish) = (messages, notifier, screen, publish)
    (self.transfers, self.mail, file) = (transfers, mail, firing)
    for alert in firing.found {
      self.notifier.restore(alert.report.notification(host).episode, notified: alert.notified)
      _ = self.firing.take(alert.report, notified: alert.notified)
    }
  }

  func receive(_ events: [Event]) throws(KernelError) -> StandardOutput.Outcome {
    try screen.receive(notify(events))
  }

  func finish(with events: [Event]) throws(KernelError) { try screen.finish(with: notify(events)) }

  func flush() throws(KernelError) -> StandardOutput.Outcome { try screen.flush() }

  /// Does something else for alerts, and publishes otherwise, from now on.
  func use(_ configuration: AggregatorConfiguration) {
    let actions = configuration.actions
    if let plan = configuration.publish { publish?.use(plan) }
    mail.reload(actions.mailConfigurations)
    notifier.reload(rules: actions.commands, others: actions.deliveries(by: transfers, mail: mail))
  }

  /// Leaves standard output as whoever writes next wants it.
  func end() { screen.end() }

  /// Ends what publishes, which may take so long.
  func endPublishing(within duration: Duration) { publish?.end(within: duration) }

  /// Says and submits what is to be; returns the events with what had no room.
  private func notify(_ events: [Event]) -> [Event] {
    _ = messages.receive(events)
    for event in events {
      switch event {
      case .alert(let alert): submit(.usage(alert))
      case .probeAlert(let alert): submit(.probe(alert))
      case .route(let changed):
        for (index, rule) in changed.rules.enumerated() {
          notifier.submit(Notification(changed, rule: rule, host: host), saysLine: index == 0)
        }
      case .usage, .warning, .probe, .outage: break
      }
    }
    if file.isUnsaved { file.save(firing) }
    let events = counted(events)
    _ = publish?.receive(events)
    return events
  }

  private func submit(_ report: FiringAlert.Report) {
    let notification = report.notification(host)
    notifier.submit(notification)
    if firing.take(report, notified: notifier.notified(of: notification.episode)) { file.save(firing) }
  }

  private func counted(_ events: [Event]) -> [Event] {
    events.map { event in
      switch event {
      case .usage(var report):
        report.health.droppedNotifications = notifier.dropped
        report.health.droppedRecords = publish?.dropped ?? 0
        return .usage(report)
      case .alert, .probeAlert, .warning, .probe, .outage, .route: return event
      }
    }
  }
}

extension FiringAlert.Report {
  fileprivate func notification(_ host: String) -> Notification {
    switch self {
    case .usage(let alert): Notification(alert, host: host)
    case .probe(let alert): Notification(alert, host: host)
    }
  }
}
