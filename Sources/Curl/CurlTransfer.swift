import CCurl
import Model

/// The one owner of a transfer of libcurl.
///
/// Safe to use: the pointer inside is made and freed here and never leaves this module. Only the thread of transfers
/// uses it.
@safe final class CurlTransfer {
  let pointer: OpaquePointer

  /// Makes a transfer of this number with what `transfer` asks for; `verifies` and `whole` may differ from what it says, for
  /// a second attempt.
  init(
    _ number: UInt64, _ transfer: TransferRequest, verifies: Bool, whole: Duration
  ) throws(CurlError) {
    let (head, body) =
      if case .http(let request) = transfer { (request.mostHead, request.mostBody) } else { (64 << 10, 0) }
    guard let pointer = unsafe ccurl_create(number, max(0, head), max(0, body)) else {
      throw .noThread("there is no memory.")
    }
    unsafe self.pointer = pointer
    try set(CCURL_VERIFY, verifies ? 1 : 0)
    try set(CCURL_TOTAL_MILLISECONDS, whole.milliseconds)
    switch transfer {
    case .http(let request): try prepare(request)
    case .mail(let session): try prepare(session)
    }
  }

  deinit { unsafe ccurl_free(pointer) }

  private func prepare(_ request: HTTPRequest) throws(CurlError) {
    try set(CCURL_PROTOCOLS, "http,https")
    try set(CCURL_URL, request.url)
    try set(CCURL_CONNECT_MILLISECONDS, request.limits.connect.milliseconds)
    // Who only reports on a server must reach an old one as well.
    if request.verification == .reported { try set(CCURL_ANY_TLS, 1) }
    if request.keepsConnection { try set(CCURL_KEEPS_CONNECTION, 1) }
    if !request.usesProxy { try set(CCURL_PROXY, "") }
    if let file = request.authorities { try set(CCURL_AUTHORITIES, file) }
    if let address = request.address {
      // Whatever host and port the URL has: this address, and the same port.
      try add(CCURL_CONNECT_TO, "::\(address.contains(":") ? "[\(address)]" : address):")
    }
    switch request.method {
    case .get: break
    case .head: try set(CCURL_HEAD_ONLY, 1)
    case .post(let body):
      try setBody(body, isMail: false)
      // A server that does not know it would make us wait for a second.
      try add(CCURL_HEADERS, "Expect:")
    }
    for header in request.headers { try add(CCURL_HEADERS, header) }
  }

  private func prepare(_ session: MailSession) throws(CurlError) {
    try set(CCURL_PROTOCOLS, "smtp,smtps")
    try set(CCURL_URL, session.url)
    try set(CCURL_PROXY, "")
    try set(CCURL_CONNECT_MILLISECONDS, session.limits.connect.milliseconds)
    let answer = max(1, Int((session.answer.milliseconds + 999) / 1000))
    try set(CCURL_ANSWER_SECONDS, answer)
    try set(CCURL_LOW_SPEED_SECONDS, answer)
    try set(CCURL_NEEDS_TLS, session.security == .none ? 0 : 1)
    try set(CCURL_SOME_RECIPIENTS, 1)
    if let file = session.authorities { try set(CCURL_AUTHORITIES, file) }
    if let login = session.login {
      try set(CCURL_USER, login.user)
      try set(CCURL_PASSWORD, login.password)
      try set(CCURL_LOGIN_OPTIONS, "AUTH=CRAM-MD5;AUTH=PLAIN;AUTH=LOGIN")
    }
    try set(CCURL_MAIL_FROM, session.from)
    for address in session.recipients { try add(CCURL_RECIPIENTS, address) }
    try setBody(session.message, isMail: true)
  }

  private func set(_ which: ccurl_text, _ text: String) throws(CurlError) {
    try check(unsafe ccurl_set_text(pointer, which, text))
  }

  private func set(_ which: ccurl_number, _ value: Int) throws(CurlError) {
    try check(unsafe ccurl_set_number(pointer, which, value))
  }

  private func add(_ which: ccurl_list, _ text: String) throws(CurlError) {
    try check(unsafe ccurl_add_text(pointer, which, text))
  }

  private func setBody(_ bytes: [UInt8], isMail: Bool) throws(CurlError) {
    // In bounds: the address and count are the array's own, and the bytes are copied during the call.
    let code = unsafe bytes.withUnsafeBytes {
      unsafe ccurl_set_body(pointer, $0.baseAddress, $0.count, isMail ? 1 : 0)
    }
    try check(code)
  }

  private func check(_ code: CInt) throws(CurlError) {
    guard code == CurlCode.ok else {
      throw .unusable("libcurl refuses a setting (\(Self.text(of: code))): correct the configuration.")
    }
  }

  /// What libcurl calls an error.
  static func text(of code: CInt) -> String {
    // A constant text of libcurl's.
    unsafe ccurl_error_text(code).map { unsafe String(cString: $0) } ?? "error \(code)"
  }

  func number(_ which: ccurl_result) -> Int { Int(unsafe ccurl_number_of(pointer, which)) }

  func bytes(_ which: ccurl_bytes) -> [UInt8] {
    var count = 0
    guard let start = unsafe ccurl_bytes_of(pointer, which, &count), count > 0 else { return [] }
    // In bounds: the transfer owns so many bytes, and lives until after this copy.
    return withExtendedLifetime(self) {
      unsafe [UInt8](UnsafeRawBufferPointer(start: start, count: count))
    }
  }
}

extension Duration {
  /// Whole milliseconds, at least one: zero would mean no limit.
  var milliseconds: Int {
    let (seconds, attoseconds) = components
    return max(1, Int(clamping: seconds) * 1000 + Int(attoseconds / 1_000_000_000_000_000))
  }
}
