import Curl
import Model

/// What an answer to a record means for it and for those that wait.
enum HTTPVerdict: Sendable, Hashable {
  /// The server has it.
  case delivered
  /// It is posted again: why, and the pause that the server wants before that.
  case again(String, after: Duration?)
  /// The same, where it is not for what this record is: too many are posted.
  case busy(String, after: Duration?)
  /// It is posted again; nobody was there, so that the server cannot have it.
  case unreachable(String)
  /// The server does not want this record; others are posted.
  case refused(RecordFailure)
  /// Nothing more is posted.
  case ended(RecordFailure)

  /// The longest pause of a server (Retry-After) that is kept to.
  static let longestWish = Duration.seconds(60)

  /// Judges an answer of `server`.
  init(_ response: HTTPResponse, server: String, section: String = "http") {
    let status = response.status
    let words = "the web server \(server) answers with status \(status)"
    self =
      switch status {
      case 200..<300: .delivered
      // What a server, or one before it, says of its load and not of what was posted.
      case 408, 425, 429, 502, 503, 504: .busy(words, after: Self.wish(response.head))
      case 500...: .again(words, after: Self.wish(response.head))
      case 400, 413, 422:
        .refused(
          RecordFailure(
            .data,
            "\(words), so it refuses what a record says: see its log, and post to a server that takes it."))
      case 401, 403:
        .ended(
          RecordFailure(
            .configuration, "\(words): correct username and password, or token, of [\(section)]."))
      case 300..<400:
        .ended(
          RecordFailure(
            .configuration,
            "\(words), which leads elsewhere: correct host, path and use_ssl of [\(section)]."))
      default:
        .ended(
          RecordFailure(
            .configuration, "\(words): correct path of [\(section)], or what the server does with POST."))
      }
  }

  /// Judges that there was no answer.
  init(_ failure: TransferFailure, server: String, section: String = "http") {
    let words = "the web server \(server) does not answer (\(failure.reason))"
    self =
      switch failure.kind {
      case .unresolved, .notConnected: .unreachable(words)
      case .timedOut, .tls: .busy(words, after: nil)
      case .interrupted, .malformed: .again(words, after: nil)
      case .certificate:
        .ended(
          RecordFailure(
            .configuration,
            "the web server \(server) has no valid certificate (\(failure.reason)): renew it, or name who issued it by "
              + "ca_certs of [ssl_options]."))
      case .unusable:
        .ended(
          RecordFailure(
            .configuration,
            "the web server \(server) cannot be asked (\(failure.reason)): correct [\(section)] and [ssl_options]."
          )
        )
      }
  }

  /// The pause of a header field `Retry-After: SECONDS` (RFC 9110, section 10.2.3); one with a date is left to the schedule.
  static func wish(_ head: [String]) -> Duration? {
    for line in head.dropFirst() {
      let parts = line.split(separator: ":", maxSplits: 1)
      guard parts.count == 2, parts[0].lowercased() == "retry-after" else { continue }
      let text = parts[1].filter { $0 != " " && $0 != "\t" }
      guard !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
      return Int(text).map { min(.seconds($0), longestWish) } ?? longestWish
    }
    return nil
  }
}
