import Curl
import Model
import SystemPackage

extension ServiceProbes {
  /// Why there is no answer: the same words each time, which libcurl's are not, as they have milliseconds.
  static func words(of failure: TransferFailure) -> String {
    switch (failure.kind, failure.errno) {
    case (.notConnected, let errno?): Errno(rawValue: errno).description
    case (.timedOut, _): "no answer in time"
    default: failure.reason
    }
  }
}

extension ServiceScan.Web {
  /// What a server answered; the time is that from the connection to the answer.
  init(_ response: HTTPResponse) {
    let start = response.secured ?? response.connected ?? .zero
    var problem: String?
    if case .invalid(let why) = response.certificate { problem = why }
    self.init(
      roundTrip: max(.zero, response.ended - start), status: response.status,
      server: response.head.lazy.compactMap(Self.server).first, certificateProblem: problem)
  }

  /// The value of a Server field (RFC 9110, section 10.2.4); names have no case.
  private static func server(_ field: String) -> String? {
    guard field.lowercased().hasPrefix("server:") else { return nil }
    let value = field.dropFirst("server:".count)
    return String(
      value.drop { $0 == " " || $0 == "\t" }.reversed().drop { $0 == " " || $0 == "\t" }.reversed())
  }
}
