/// Which of the services that are looked for a host has: HTTP (port 80), HTTPS (443) and MySQL (3306).
public struct ServiceScan: Sendable, Hashable {
  /// What a web server answered to `HEAD /`.
  public struct Web: Sendable, Hashable {
    /// From the request to the answer.
    public var roundTrip: Duration
    /// The status code: `200`.
    public var status: Int
    /// The Server header; nil without one.
    public var server: String?
    /// What is wrong with the certificate; nil when it is valid, or none is used.
    public var certificateProblem: String?

    /// Makes an answer.
    public init(
      roundTrip: Duration, status: Int, server: String?, certificateProblem: String? = nil
    ) {
      self.roundTrip = roundTrip
      self.status = status
      self.server = server
      self.certificateProblem = certificateProblem
    }
  }

  /// What a MySQL or MariaDB server said first.
  public struct Database: Sendable, Hashable {
    /// From the connect to the greeting.
    public var roundTrip: Duration
    /// The whole version: `10.11.6-MariaDB-0+deb12u1`.
    public var version: String

    /// Makes an answer.
    public init(roundTrip: Duration, version: String) {
      self.roundTrip = roundTrip
      self.version = version
    }
  }

  /// What a service answered, or why it did not.
  public enum Answer<Value: Sendable & Hashable>: Sendable, Hashable {
    /// It answered.
    case answered(Value)
    /// It did not: nobody listens, a filter drops, nothing comes in time, or what came is another protocol.
    case missing(String)
    /// This host could not ask, which says nothing of the service: why.
    case unknown(String)

    /// What it answered; nil when it did not.
    public var value: Value? { if case .answered(let value) = self { value } else { nil } }

    /// Whether it answered; nil where that is not known.
    public var isThere: Bool? {
      switch self {
      case .answered: true
      case .missing: false
      case .unknown: nil
      }
    }
  }

  /// Port 80.
  public var http: Answer<Web>
  /// Port 443.
  public var https: Answer<Web>
  /// Port 3306.
  public var mysql: Answer<Database>

  /// Whether any answered; nil where none is known to, and of one nothing is known.
  public var isUp: Bool? {
    let found = [http.isThere, https.isThere, mysql.isThere]
    return found.contains(true) ? true : found.contains(nil) ? nil : false
  }

  /// True where this host could not ask one of them.
  public var isPartial: Bool { [http.isThere, https.isThere, mysql.isThere].contains(nil) }

  /// Makes the result of a scan.
  public init(http: Answer<Web>, https: Answer<Web>, mysql: Answer<Database>) {
    self.http = http
    self.https = https
    self.mysql = mysql
  }
}
