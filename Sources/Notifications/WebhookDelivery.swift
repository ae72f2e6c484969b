public import Curl
public import Model

/// Delivers notifications to a web server: a POST of the notification as JSON.
///
/// A server that took one and could not say so is notified again: the fact `id` and the others show that.
public struct WebhookDelivery: Delivery {
  private let rule: WebhookRule
  private let transfers: TransferThread
  private let authorities: String?
  private let limit: Duration

  /// What a request may take.
  public static let standardLimit = Duration.seconds(30)

  /// Makes a delivery to the URL of `rule`, through `transfers`. `authorities` is a file of certificates to trust in place of
  /// the system's.
  public init(
    _ rule: WebhookRule, transfers: TransferThread, authorities: String? = nil,
    limit: Duration = Self.standardLimit
  ) {
    self.rule = rule
    self.transfers = transfers
    self.authorities = authorities
    self.limit = limit
  }

  /// A web server.
  public var kind: DeliveryKind { .webhook }

  /// As the rule says.
  public var deliversEnds: Bool { rule.runsOnResolve }

  /// What a request may take.
  public var timeLimit: Duration { limit }

  /// Tells the server.
  public func attempt(_ notification: Notification) async -> DeliveryOutcome {
    var request = HTTPRequest(
      .post(Array(notification.json.utf8)), rule.url, limits: TransferLimits(connect: limit, whole: limit))
    request.headers = ["Content-Type: application/json", "User-Agent: bwmon"]
    request.usesProxy = true
    request.authorities = authorities
    request.mostBody = 1024
    let start = "the webhook at \(rule.shownURL)"
    do throws(CurlError) {
      switch try await transfers.run(.http(request)) {
      case .cancelled, .mail: return .abandoned
      case .http(let response): return Self.outcome(response.status, start)
      case .failed(let failure): return Self.outcome(failure, start)
      }
    } catch {
      switch error {
      case .stopped: return .abandoned
      case .full, .noThread: return .notTaken("\(start) was not asked: \(error)")
      case .unusable(let what): return .failed("\(start) was not asked: \(what)")
      }
    }
  }

  static func outcome(_ status: Int, _ start: String) -> DeliveryOutcome {
    switch status {
    case 200..<300: .succeeded
    case 408, 425, 429, 500...:
      .notTaken(
        "\(start) answers with status \(status). It is tried again until it takes it: see that it is well.")
    default: .failed("\(start) answers with status \(status): correct the URL of webhook=.")
    }
  }

  private static func outcome(_ failure: TransferFailure, _ start: String) -> DeliveryOutcome {
    switch failure.kind {
    case .unresolved, .notConnected, .timedOut, .tls, .interrupted, .malformed:
      .notTaken(
        "\(start) did not answer (\(failure.reason)). It is tried again until it takes it: see that it is well."
      )
    case .certificate:
      .failed(
        "\(start) has no valid certificate (\(failure.reason)): renew it, or have this host trust who issued it."
      )
    case .unusable: .failed("\(start) was not asked (\(failure.reason)): correct the URL of webhook=.")
    }
  }
}
