public import INI
import Model

/// The mail that a rule sends for what it has to report.
public struct MailRule: Sendable, Hashable {
  /// The section of the configuration that it comes from.
  public var rule: String
  /// The file that says how, a `sendMailConfig.json`.
  public var path: String
  /// True to send also the end of an episode.
  public var runsOnResolve: Bool

  /// The keys of a section that are read here.
  public static let keys = ["mail_config", "on_resolve"]

  /// Reads a section; nil where `mail_config` is not set or is empty. Throws an error that names the line for values that
  /// cannot be read.
  public init?(_ section: INISection) throws(INIError) {
    let onResolve = try section.boolean("on_resolve") ?? false
    guard let entry = try section.singleLine("mail_config"), !entry.value.isEmpty else { return nil }
    rule = section.name
    path = entry.value
    runsOnResolve = onResolve
  }
}

/// The web server to which a rule sends what it has to report.
public struct WebhookRule: Sendable, Hashable {
  /// The section of the configuration that it comes from.
  public var rule: String
  /// Where the server is notified: a URL of http or https.
  public var url: String
  /// True to send also the end of an episode.
  public var runsOnResolve: Bool

  /// The keys of a section that are read here.
  public static let keys = ["webhook", "on_resolve"]

  /// Reads a section; nil where `webhook` is not set or is empty. Throws an error that names the line for values that
  /// cannot be read.
  public init?(_ section: INISection) throws(INIError) {
    let onResolve = try section.boolean("on_resolve") ?? false
    guard let entry = try section.singleLine("webhook"), !entry.value.isEmpty else { return nil }
    let isPlain = entry.value.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f }
    guard isPlain, let host = Self.host(of: entry.value), !host.isEmpty else {
      throw section.error(at: entry, "webhook is not a URL: write http://HOST/PATH or https://HOST/PATH")
    }
    rule = section.name
    url = entry.value
    runsOnResolve = onResolve
  }

  /// The URL without what may be secret: user, password, path and query.
  public var shownURL: String {
    let scheme = url.prefix { $0 != ":" }.lowercased()
    return "\(scheme)://\((Self.host(of: url) ?? "").escapingControlCharacters.shortened(to: 200))/..."
  }

  /// The host with its port.
  private static func host(of url: String) -> String? {
    for scheme in ["http://", "https://"] where url.lowercased().hasPrefix(scheme) {
      let authority = url.dropFirst(scheme.count).prefix { !"/?#".contains($0) }
      return String(authority.split(separator: "@", omittingEmptySubsequences: false).last ?? "")
    }
    return nil
  }
}
