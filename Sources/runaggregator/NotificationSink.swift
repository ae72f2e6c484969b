import Curl
import Model
import Notifications
import Output
import Program
import SystemRuntime

/// The notifications of alerts and of changed routes as a sink. What fires is kept for the next start.
struct NotificationSink: Sink {
  private var notifier: Notifier
  private let transfers: TransferThread
  private let mail: MailService
  private var firing = FiringAlerts()
  private let file: FiringFile<FiringAlert>
  private let host = HostName.current

  /// What fired at the end of the last run is not reported again.
  init(
    _ notifier: Notifier, _ transfers: TransferThread, _ mail: MailService, _ file: FiringFile<FiringAlert>
  ) {
    (self.notifier, self.transfers, self.mail, self.file) = (notifier, transfers, mail, file)
    for alert in file.found {
      self.notifier.restore(alert.report.notification(host).episode, notified: alert.notified)
      _ = firing.take(alert.report, notified: alert.notified)
    }
  }

  /// How many notifications were not delivered because too many waited, since start.
  var dropped: UInt64 { notifier.dropped }

  /// Always: what cannot be delivered is warned of.
  var isOpen: Bool { true }

  mutating func receive(_ events: [Event]) -> WriteOutcome {
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
    if file.isUnsaved { file.save(firing.content) }
    return .written
  }

  mutating func finish(with events: [Event]) { _ = receive(events) }

  /// The service delivers what waits.
  func flush() -> WriteOutcome { .written }

  /// Does something else for alerts from now on.
  mutating func use(_ actions: AlertActions) {
    mail.reload(actions.mailConfigurations)
    notifier.reload(rules: actions.commands, others: actions.deliveries(by: transfers, mail: mail))
  }

  private mutating func submit(_ report: FiringAlert.Report) {
    let notification = report.notification(host)
    notifier.submit(notification)
    if firing.take(report, notified: notifier.notified(of: notification.episode)) {
      file.save(firing.content)
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
