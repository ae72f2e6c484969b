import Curl
import Notifications

/// What is done when a limit is crossed: commands, mails, webhooks.
struct AlertActions {
  /// What runs.
  var commands: [CommandRule] = []
  /// What is sent, and how.
  var mails: [(rule: MailRule, configuration: MailConfiguration)] = []
  /// Which servers are notified.
  var webhooks: [WebhookRule] = []

  /// The keys of a section of the notification configuration.
  static let keys = CommandRule.keys + MailRule.keys + WebhookRule.keys

  /// How the mails of each section are sent.
  var mailConfigurations: MailConfigurations {
    var configurations = MailConfigurations()
    for (rule, configuration) in mails {
      configurations.add(configuration, file: rule.path, section: rule.rule)
    }
    return configurations
  }

  /// The mails and webhooks as deliveries, mails by `mail`, webhooks through `transfers`.
  func deliveries(by transfers: TransferThread, mail: MailService) -> [RuleDelivery] {
    mails.map { RuleDelivery(rule: $0.rule.rule, delivery: MailDelivery($0.rule, service: mail)) }
      + webhooks.map { RuleDelivery(rule: $0.rule, delivery: WebhookDelivery($0, transfers: transfers)) }
  }
}
