public import Curl
public import Model

extension MailConfiguration {
  /// Sends one mail now, whatever becomes of it, which is returned; nil when it was cancelled. `host` stands in its
  /// Message-ID.
  public func send(
    subject: String, body: String, host: String, at time: Timestamp, by transfers: TransferThread
  ) async -> MailOutcome? {
    let digits = MessageID.digits(of: [subject, body, String(UInt64.random(in: .min ... .max))])
    let message = MailMessage(
      from: from, to: to, subject: subject, date: time,
      messageID: "\(max(0, time.seconds)).\(digits)@\(MessageID.host(host))", body: body)
    return await send(message.bytes, to: to, by: transfers)
  }

  /// Gives a mail to the server; nil when the task or the transfers were cancelled.
  func send(_ message: [UInt8], to recipients: [String], by transfers: TransferThread) async -> MailOutcome? {
    do throws(CurlError) {
      guard case .mail(let outcome) = try await transfers.run(.mail(session(message, to: recipients))) else {
        return nil
      }
      return outcome
    } catch {
      switch error {
      case .stopped: return nil
      case .full, .noThread: return .transient("\(error)", mayHaveArrived: false)
      case .unusable(let what): return .permanent(what)
      }
    }
  }

  func session(_ message: [UInt8], to recipients: [String]) -> MailSession {
    let answer = min(timeout ?? Self.longestSession, Self.longestSession)
    var session = MailSession(
      host: server, port: port, from: from, recipients: recipients, message: message,
      limits: TransferLimits(connect: min(answer, .seconds(60)), whole: Self.longestSession))
    session.answer = answer
    session.security = isImplicitTLS ? .implicit : needsTLS ? .startTLS : .none
    session.verifies = verifies
    session.authorities = authorities
    session.login = user.map { MailSession.Login(user: $0, password: password) }
    return session
  }
}

/// The parts of a Message-ID (RFC 5322, 3.6.4).
enum MessageID {
  /// The same sixteen digits for the same texts: FNV-1a (64 bits).
  static func digits(of parts: [String]) -> String {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for part in parts {
      for byte in Array(part.utf8) + [0xff] { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    }
    let digits = String(hash, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }

  /// A host's name as far as it may stand there.
  static func host(_ name: String) -> String {
    let allowed = name.utf8.filter {
      (0x30...0x39).contains($0) || (0x41...0x5a).contains($0) || (0x61...0x7a).contains($0) || $0 == 0x2d
        || $0 == 0x2e
    }
    let parts = String(decoding: allowed, as: UTF8.self).split(separator: ".")
    return parts.isEmpty ? "localhost" : parts.joined(separator: ".").shortened(to: 200)
  }
}
