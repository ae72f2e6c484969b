/// A request to a web server, which follows no redirection.
public struct HTTPRequest: Sendable, Hashable {
  /// What is asked.
  public enum Method: Sendable, Hashable {
    /// The head of the answer alone.
    case head
    /// All of it.
    case get
    /// Something is given.
    case post([UInt8])
  }

  /// What a certificate that is not valid means.
  public enum Verification: Sendable, Hashable {
    /// The request fails.
    case required
    /// It is made without, and the answer says what is wrong with the certificate.
    case reported
    /// No certificate is looked at.
    case none
  }

  /// What is asked.
  public var method: Method
  /// Where: a URL of http or https.
  public var url: String
  /// Header fields, each `Name: value`.
  public var headers: [String] = []
  /// What a certificate that is not valid means.
  public var verification = Verification.required
  /// The one address to ask, whatever the URL's host is: a numeric one, an IPv6 address without brackets.
  public var address: String?
  /// A file of the certificates to trust, in place of the system's.
  public var authorities: String?
  /// True to go through the proxy that the environment names (`https_proxy`); else none is used.
  public var usesProxy = false
  /// True to use a connection of an earlier request of the same thread, and to leave it to later ones: for many requests to
  /// one server.
  public var keepsConnection = false
  /// How long it may take.
  public var limits: TransferLimits
  /// The most bytes that the head of the answer may have; a longer one is a failure.
  public var mostHead = 64 << 10
  /// The most bytes of the answer's body that are kept; the transfer ends when there are more.
  public var mostBody = 64 << 10

  /// The longest body that is sent.
  public static let mostSent = 16 << 20

  /// Makes a request.
  public init(_ method: Method, _ url: String, limits: TransferLimits) {
    self.method = method
    self.url = url
    self.limits = limits
  }

  /// Throws for what must not be sent: another scheme, line feeds in a header field, a body that is too long.
  func check() throws(CurlError) {
    let start = url.prefix(8).lowercased()
    guard start.hasPrefix("http://") || start.hasPrefix("https://") else {
      throw .unusable("the URL must begin with http:// or https://: correct it.")
    }
    guard url.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7f }) else {
      throw .unusable("the URL has a space or a control character: write it as %20 and so on.")
    }
    for text in headers + [address ?? "", authorities ?? ""] where !text.isPlainLine {
      throw .unusable("a header field, an address or a path has a control character: take it out.")
    }
    if case .post(let body) = method, body.count > Self.mostSent {
      throw .unusable("the body has more than \(Self.mostSent) bytes: send less.")
    }
  }
}

/// What a web server answered.
public struct HTTPResponse: Sendable, Hashable {
  /// How the server's certificate was judged.
  public enum Certificate: Sendable, Hashable {
    /// There is none, or it was not looked at.
    case notChecked
    /// It is valid for this host.
    case valid
    /// It is not, and why.
    case invalid(String)
  }

  /// The status code: 200.
  public var status: Int
  /// The status line and the header fields, without line ends, as they came: bytes of a stranger.
  public var head: [String]
  /// The body, cut at the request's bound.
  public var body: [UInt8]
  /// True when the body was longer.
  public var isBodyCut: Bool
  /// How the certificate was judged.
  public var certificate: Certificate
  /// From the start until the connection was there; nil where it is not known.
  public var connected: Duration?
  /// From the start until TLS was agreed on; nil without TLS.
  public var secured: Duration?
  /// From the start to the end.
  public var ended: Duration

  /// Makes an answer.
  public init(
    status: Int, head: [String] = [], body: [UInt8] = [], isBodyCut: Bool = false,
    certificate: Certificate = .notChecked, connected: Duration? = nil, secured: Duration? = nil,
    ended: Duration = .zero
  ) {
    self.status = status
    self.head = head
    self.body = body
    self.isBodyCut = isBodyCut
    self.certificate = certificate
    self.connected = connected
    self.secured = secured
    self.ended = ended
  }
}

extension String {
  /// True without control characters, so that it stays one line of a protocol.
  var isPlainLine: Bool { utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7f } }
}
