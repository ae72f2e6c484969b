import CCurl
import Model

extension CurlTransfer {
  /// What came of the transfer, which ended with `code`. `verdict` is what an earlier attempt said of the certificate.
  func outcome(of transfer: TransferRequest, code: CInt, verdict: String?) -> TransferOutcome {
    switch transfer {
    case .mail(let session):
      return .mail(
        MailVerdict.outcome(
          code: code, reason: reason(code), transcript: MailTranscript(bytes(CCURL_TRANSCRIPT)),
          recipients: session.recipients))
    case .http(let request):
      let isCut = number(CCURL_IS_BODY_CUT) == 1
      let isDone = code == CurlCode.ok || code == CurlCode.notWritten && isCut
      guard isDone else { return .failed(failure(code)) }
      return .http(response(to: request, isCut: isCut, verdict: verdict))
    }
  }

  private func response(to request: HTTPRequest, isCut: Bool, verdict: String?) -> HTTPResponse {
    let secured = duration(CCURL_TLS_AFTER)
    let certificate: HTTPResponse.Certificate =
      if let verdict {
        .invalid(verdict)
      } else if secured == nil || request.verification == .none {
        .notChecked
      } else {
        .valid
      }
    let head = bytes(CCURL_HEAD).split { $0 == UInt8(ascii: "\r") || $0 == UInt8(ascii: "\n") }
    return HTTPResponse(
      status: number(CCURL_STATUS), head: head.map { String(decoding: $0, as: UTF8.self) },
      body: bytes(CCURL_BODY), isBodyCut: isCut, certificate: certificate,
      connected: duration(CCURL_CONNECTED_AFTER), secured: secured,
      ended: duration(CCURL_ENDED_AFTER) ?? .zero)
  }

  private func duration(_ which: ccurl_result) -> Duration? {
    let time = number(which)
    return time > 0 ? .microseconds(time) : nil
  }

  /// Why it failed, as one line.
  func reason(_ code: CInt) -> String {
    let text = String(decoding: bytes(CCURL_REASON), as: UTF8.self)
    let trimmed = String(text.reversed().drop { $0.isWhitespace || $0 == "." }.reversed())
    return (trimmed.isEmpty ? Self.text(of: code) : trimmed).escapingControlCharacters.shortened(to: 300)
  }

  private func failure(_ code: CInt) -> TransferFailure {
    if number(CCURL_IS_HEAD_TOO_LONG) == 1 {
      return TransferFailure(.malformed, "the head of the answer is too long")
    }
    if code == CurlCode.timedOut, number(CCURL_WAS_CONNECTED) != 1 {
      return duration(CCURL_LOOKED_UP_AFTER) == nil
        ? TransferFailure(.unresolved, "no address in time")
        : TransferFailure(.notConnected, "no connection in time")
    }
    let kind: TransferFailure.Kind =
      switch code {
      case CurlCode.unresolved, CurlCode.unresolvedProxy: .unresolved
      case CurlCode.notConnected: .notConnected
      case CurlCode.timedOut: .timedOut
      case CurlCode.certificate: .certificate
      case CurlCode.tls: .tls
      case CurlCode.malformed, CurlCode.unsupported: .malformed
      case CurlCode.unusableURL, CurlCode.authorities: .unusable
      default: .interrupted
      }
    let number = CInt(truncatingIfNeeded: number(CCURL_OS_ERROR))
    return TransferFailure(kind, reason(code), errno: kind == .notConnected && number > 0 ? number : nil)
  }
}
