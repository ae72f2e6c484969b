import CRabbitMQ
import Model

/// What a broker says by itself.
enum RabbitEvent: Sendable, Hashable {
  case acknowledged(tag: UInt64, multiple: Bool)
  case refused(tag: UInt64, multiple: Bool)
  /// No queue wants the message with this id.
  case returned(id: String, reason: String)
  case blocked(reason: String)
  case unblocked
}

/// One connection to a broker, from the attempt to its end.
///
/// Safe to use: the pointer is made and freed here and never leaves this class. One thread calls all but `interrupt()`,
/// which has a lock of its own.
@safe final class RabbitConnection: Sendable {
  private nonisolated(unsafe) let pointer: OpaquePointer
  private let configuration: RabbitConfiguration

  /// Makes a connection that is not open yet.
  init(
    _ configuration: RabbitConfiguration, appID: String, version: String, connect: Duration
  ) throws(RabbitTrouble) {
    guard let pointer = unsafe crabbitmq_create() else {
      throw RabbitTrouble(what: .lost("there is no memory"), phase: .connecting)
    }
    unsafe self.pointer = pointer
    self.configuration = configuration
    try set(CRABBITMQ_HOST, configuration.host)
    try set(CRABBITMQ_VHOST, configuration.vhost)
    try set(CRABBITMQ_USER, configuration.user)
    try set(CRABBITMQ_PASSWORD, configuration.password.text)
    try set(CRABBITMQ_PRODUCT, appID)
    try set(CRABBITMQ_VERSION, version)
    try set(CRABBITMQ_APP_ID, appID)
    set(CRABBITMQ_PORT, Int(configuration.port))
    set(CRABBITMQ_HEARTBEAT, configuration.heartbeat)
    set(CRABBITMQ_CONNECT_MILLISECONDS, connect.wholeMilliseconds)
    guard let tls = configuration.tls else { return }
    set(CRABBITMQ_IS_TLS, 1)
    set(CRABBITMQ_VERIFY, tls.verifies ? 1 : 0)
    set(CRABBITMQ_ONLY_TLS_1_2, tls.isOnlyTLS12 ? 1 : 0)
    try set(CRABBITMQ_AUTHORITIES, tls.authorities)
    try set(CRABBITMQ_CERTIFICATE, tls.certificate)
    try set(CRABBITMQ_KEY, tls.key)
    try set(CRABBITMQ_CIPHERS, tls.ciphers)
    try set(CRABBITMQ_SERVER_NAME, tls.serverName)
  }

  deinit { unsafe crabbitmq_free(pointer) }

  /// How many seconds may pass between heartbeats; 0 is no matter how many.
  var heartbeat: Int { Int(unsafe crabbitmq_heartbeat(pointer)) }

  /// Connects, logs in, and finds or makes the queue.
  func open() throws(RabbitTrouble) {
    try check(unsafe crabbitmq_connect(pointer), .connecting)
    guard let queue = configuration.queue else { return }
    switch configuration.declaration {
    case .none: return
    case .passive: try declare(queue, isPassive: true)
    case .active: try declare(queue, isPassive: false)
    case .auto:
      do throws(RabbitTrouble) { try declare(queue, isPassive: true) } catch {
        guard case .channelClosed(404, _) = error.what, !error.isAway else { throw error }
        try declare(queue, isPassive: false)
      }
    }
  }

  private func declare(_ queue: String, isPassive: Bool) throws(RabbitTrouble) {
    let options = configuration.queueOptions
    let result = unsafe crabbitmq_declare(
      pointer, queue, isPassive ? 1 : 0, options.isDurable ? 1 : 0, options.isAutoDeleted ? 1 : 0)
    try check(result, .declaring)
  }

  /// Sends a record, or as much of it as the broker takes for now; `flush()` does the rest, before another follows.
  func publish(_ record: Record) throws(RabbitTrouble) {
    for header in record.headers {
      let isTaken =
        switch header.value {
        case .text(let text): unsafe crabbitmq_add_text(pointer, header.name, text)
        case .number(let number): unsafe crabbitmq_add_number(pointer, header.name, number)
        }
      guard isTaken == 0 else {
        throw RabbitTrouble(what: .tooLong("a header, or all of them together,"), phase: .publishing)
      }
    }
    // In bounds: the array and its count.
    let result = unsafe record.body.withUnsafeBytes { body in
      unsafe crabbitmq_publish(
        pointer, configuration.exchange, record.routingKey ?? configuration.routingKey ?? "", record.id,
        UInt64(clamping: record.time), body.baseAddress, body.count)
    }
    if result != CRABBITMQ_WAITS { try check(result, .publishing) }
  }

  /// Sends what is left of a record; false where some of it still is.
  func flush() throws(RabbitTrouble) -> Bool {
    let result = unsafe crabbitmq_flush(pointer)
    if result == CRABBITMQ_WAITS { return false }
    try check(result, .publishing)
    return true
  }

  /// Waits until something has come, or more of a record can be sent, or `waker` was used, or so long; nil is for ever.
  func wait(waker: CInt, timeout: Duration?) {
    unsafe crabbitmq_wait(pointer, waker, timeout.map { CInt(clamping: $0.wholeMilliseconds) } ?? -1)
  }

  /// What has come; nil for nothing. Sends a heartbeat where one is due.
  func next() throws(RabbitTrouble) -> RabbitEvent? {
    let event = unsafe crabbitmq_next(pointer)
    switch event {
    case CRABBITMQ_ACK:
      return .acknowledged(
        tag: unsafe crabbitmq_tag(pointer), multiple: unsafe crabbitmq_is_multiple(pointer) != 0)
    case CRABBITMQ_NACK:
      return .refused(
        tag: unsafe crabbitmq_tag(pointer), multiple: unsafe crabbitmq_is_multiple(pointer) != 0)
    case CRABBITMQ_RETURN:
      let id = unsafe String(cString: crabbitmq_message_id(pointer))
      return .returned(id: id, reason: reason)
    case CRABBITMQ_BLOCKED: return .blocked(reason: reason)
    case CRABBITMQ_UNBLOCKED: return .unblocked
    case CRABBITMQ_END:
      try check(unsafe crabbitmq_result_of_event(pointer), .publishing)
      return nil
    default: return nil
    }
  }

  /// Says farewell to the broker, for a second at most.
  func close() { unsafe crabbitmq_close(pointer) }

  /// Ends an exchange with the broker that is under way, from any thread.
  func interrupt() { unsafe crabbitmq_interrupt(pointer) }

  private var code: Int { Int(unsafe crabbitmq_code(pointer)) }
  private var reason: String { unsafe String(cString: crabbitmq_reason(pointer)) }

  private func set(_ which: crabbitmq_text, _ text: String?) throws(RabbitTrouble) {
    guard let text, unsafe crabbitmq_set_text(pointer, which, text) != 0 else { return }
    throw RabbitTrouble(what: .lost("there is no memory"), phase: .connecting)
  }

  private func set(_ which: crabbitmq_number, _ number: Int) {
    unsafe crabbitmq_set_number(pointer, which, CInt(clamping: number))
  }

  private func check(_ result: crabbitmq_result, _ phase: RabbitTrouble.Phase) throws(RabbitTrouble) {
    let what: RabbitTrouble.What
    switch result {
    case CRABBITMQ_FINE: return
    case CRABBITMQ_UNRESOLVED: what = .unresolved
    case CRABBITMQ_UNREACHABLE: what = .unreachable
    case CRABBITMQ_SILENT: what = .silent
    case CRABBITMQ_BAD_CERTIFICATE: what = .badCertificate(reason)
    case CRABBITMQ_NO_TLS: what = .noTLS(reason)
    case CRABBITMQ_UNUSABLE_SETTING: what = .unusable(key: Self.key(code), reason)
    case CRABBITMQ_NO_AMQP: what = .noAMQP(reason)
    case CRABBITMQ_CHANNEL_CLOSED: what = .channelClosed(code: code, reason)
    case CRABBITMQ_CONNECTION_CLOSED: what = .connectionClosed(code: code, reason)
    case CRABBITMQ_TOO_LONG: what = .tooLong(reason)
    default: what = .lost(reason)
    }
    throw RabbitTrouble(what: what, phase: phase)
  }

  /// The key of `[ssl_options]` that a text of the C target is from.
  private static func key(_ code: Int) -> String {
    switch crabbitmq_text(UInt32(clamping: code)) {
    case CRABBITMQ_AUTHORITIES: "ca_certs"
    case CRABBITMQ_CERTIFICATE: "certfile"
    case CRABBITMQ_KEY: "keyfile"
    case CRABBITMQ_CIPHERS: "ciphers"
    default: "server_hostname"
    }
  }
}

extension Duration {
  /// In whole milliseconds, rounded up; a day at most.
  var wholeMilliseconds: Int {
    if self <= .zero { return 0 }
    let (seconds, attoseconds) = min(self, .seconds(86_400)).components
    return Int(seconds) * 1000 + Int((attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)
  }
}
