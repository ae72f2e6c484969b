import ArgumentParser
import Probes
import Program

/// The flags that say where mail goes, and how often.
struct MailOptions: ParsableArguments {
  @Option(
    name: [.customLong("backoff-min"), .customLong("bmin", withSingleDash: true)],
    help: ArgumentHelp("After a mail the next one waits for this time.", valueName: "seconds"))
  var backoffMin = DurationArgument.seconds(60)

  @Option(
    name: [.customLong("backoff-max"), .customLong("bmax", withSingleDash: true)],
    help: ArgumentHelp(
      "It never waits longer than this; when no mail has gone for that time, it begins again.",
      valueName: "seconds"))
  var backoffMax = DurationArgument.seconds(3600)

  @Option(
    name: [.customLong("backoff-step"), .customLong("bstep", withSingleDash: true)],
    help: ArgumentHelp("With each further mail it waits this much longer.", valueName: "seconds"))
  var backoffStep = DurationArgument.seconds(300)

  @Option(
    help: ArgumentHelp(
      "How to send mail. (default: pySendMail/sendMailConfig.json, else /etc/bwmon/sendMailConfig.json, else no mail)",
      valueName: "file"))
  var mailConfig: String?

  @Option(
    help: ArgumentHelp(
      "The folder, an absolute path for this program alone, of reports that wait for the mail server, and of what a restart needs of an outage. (default: systemd's StateDirectory=, else /var/lib/bwmon/netconnmon for root, else ~/.local/state/bwmon/netconnmon)",
      valueName: "folder"))
  var spool: String?

  @Flag(help: "Send one mail, say what became of it, and exit.")
  var testMail = false

  mutating func validate() throws {
    if let spool, !spool.hasPrefix("/") {
      throw ValidationError("--spool must be an absolute path, as /var/lib/bwmon/netconnmon.")
    }
    for (flag, value) in [
      ("--backoff-min", backoffMin), ("--backoff-max", backoffMax), ("--backoff-step", backoffStep),
    ] { try value.validate(flag, in: 0...31_536_000) }
  }

  /// When mails go.
  var backOff: MailBackOff {
    MailBackOff(
      minimum: backoffMin.duration, maximum: backoffMax.duration, step: backoffStep.duration)
  }
}
