/// Something that libcurl does for a `TransferThread`: one connection to one server.
public enum TransferRequest: Sendable, Hashable {
  /// A request to a web server.
  case http(HTTPRequest)
  /// A mail, given to a mail server.
  case mail(MailSession)
}

/// Names a transfer of one `TransferThread`.
public struct TransferID: Sendable, Hashable {
  let number: UInt64
}

/// How a transfer ended.
public enum TransferOutcome: Sendable, Hashable {
  /// The web server answered, with whatever status.
  case http(HTTPResponse)
  /// What came of a mail.
  case mail(MailOutcome)
  /// There was no answer of a web server.
  case failed(TransferFailure)
  /// It was cancelled, or its thread was stopped.
  case cancelled
}

/// How long a transfer may take.
public struct TransferLimits: Sendable, Hashable {
  /// Until the server is connected, with TLS where that comes first.
  public var connect: Duration
  /// From the start to the end.
  public var whole: Duration

  /// Makes limits; each is at least a millisecond and at most a day.
  public init(connect: Duration, whole: Duration) {
    let range = (Duration.milliseconds(1), Duration.seconds(86_400))
    self.connect = min(max(connect, range.0), range.1)
    self.whole = min(max(whole, range.0), range.1)
  }
}

/// Why there is no answer.
public struct TransferFailure: Sendable, Hashable {
  /// What kind of failure it is, for programs.
  public enum Kind: Sendable, Hashable {
    /// The name has no address, or nobody could be asked.
    case unresolved
    /// Nobody listens there, or the way is closed.
    case notConnected
    /// A limit of time was reached.
    case timedOut
    /// The certificate is not valid for this host.
    case certificate
    /// TLS failed in another way.
    case tls
    /// The connection ended too early.
    case interrupted
    /// The answer is not one, or its head is too long.
    case malformed
    /// The URL or a setting cannot be used.
    case unusable
  }

  /// What kind of failure it is.
  public var kind: Kind
  /// Why, in libcurl's words: without a line feed and without passwords.
  public var reason: String
  /// Why it was not connected, as a number of errno.h; nil where that is not known.
  public var errno: CInt?

  /// Makes a failure.
  public init(_ kind: Kind, _ reason: String, errno: CInt? = nil) {
    self.kind = kind
    self.reason = reason
    self.errno = errno
  }
}

/// Why a transfer was not taken.
public enum CurlError: Error, Sendable, Hashable {
  /// So many wait already.
  case full(waiting: Int)
  /// The thread is stopped.
  case stopped
  /// The transfer has a value that cannot be sent: what, and what to do.
  case unusable(String)
  /// There is no thread or no memory for transfers.
  case noThread(String)
}

extension CurlError: CustomStringConvertible {
  /// A sentence for an administrator.
  public var description: String {
    switch self {
    case .full(let waiting):
      "\(waiting) transfers wait already: ask fewer servers at once, or shorten the time limits."
    case .stopped: "transfers have ended: the program is about to end, run it again."
    case .unusable(let what): what
    case .noThread(let why): "transfers cannot begin: \(why) Raise the limits of this service."
    }
  }
}
