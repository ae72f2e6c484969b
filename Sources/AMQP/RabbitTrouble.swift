import Model

/// What went wrong with a broker, and while what was done.
struct RabbitTrouble: Error, Sendable, Hashable {
  enum What: Sendable, Hashable {
    case lost(String)
    case unresolved
    case unreachable
    case silent
    case badCertificate(String)
    case noTLS(String)
    /// A file or text of `[ssl_options]`: its key.
    case unusable(key: String, String)
    case noAMQP(String)
    case channelClosed(code: Int, String)
    case connectionClosed(code: Int, String)
    case tooLong(String)
  }

  enum Phase: Sendable, Hashable {
    case connecting
    case declaring
    case publishing
  }

  var what: What
  var phase: Phase
}

extension RabbitTrouble {
  /// Why, in a few words, for a sentence about what is done meanwhile.
  var reason: String {
    switch what {
    case .lost(let text), .noAMQP(let text), .noTLS(let text), .badCertificate(let text), .tooLong(let text):
      Self.shown(text)
    case .unresolved: "the host name is not known"
    case .unreachable: "no connection can be made"
    case .silent: "no answer came in time"
    case .unusable(let key, let text): "\(key): \(Self.shown(text))"
    case .channelClosed(let code, let text), .connectionClosed(let code, let text): Self.shown(code, text)
    }
  }

  /// Why the publisher has to end for it; nil where the same may work a moment later.
  func failure(of rabbit: RabbitConfiguration) -> RecordFailure? {
    let broker = rabbit.broker
    switch what {
    case .lost, .unreachable, .silent, .unresolved: return nil
    case .badCertificate(let text):
      let name = (rabbit.tls?.serverName ?? rabbit.host).escapingControlCharacters
      return RecordFailure(
        .configuration,
        "\(broker) has no valid certificate for \(name) (\(Self.shown(text))): correct ca_certs or server_hostname in"
          + " [ssl_options], or the broker's certificate.")
    case .noTLS(let text):
      guard phase == .connecting else { return nil }
      return RecordFailure(
        .configuration,
        "\(broker) does not agree on TLS (\(Self.shown(text))): correct port and use_ssl in [\(rabbit.section)], or"
          + " [ssl_options].")
    case .unusable(let key, let text):
      return RecordFailure(
        .configuration,
        "\(key) in [ssl_options] cannot be used (\(Self.shown(text))): correct it or the file.")
    case .noAMQP(let text):
      guard phase == .connecting else { return nil }
      return RecordFailure(
        .configuration,
        "\(broker) does not speak AMQP 0-9-1 as we do (\(Self.shown(text))): correct host, port and use_ssl in"
          + " [\(rabbit.section)].")
    case .tooLong(let text):
      return RecordFailure(
        .data, "a record cannot be published: \(Self.shown(text)) is too long: shorten it.")
    case .connectionClosed(let code, let text): return closed(rabbit, code, text)
    case .channelClosed(let code, let text):
      return phase == .publishing ? refused(rabbit, code, text) : undeclared(rabbit, code, text)
    }
  }

  /// Of a connection: AMQP's codes 403 (credentials) and 530 (virtual host); others pass, such as a broker that ends.
  private func closed(_ rabbit: RabbitConfiguration, _ code: Int, _ text: String) -> RecordFailure? {
    guard phase == .connecting else { return nil }
    switch code {
    case 403:
      return RecordFailure(
        .configuration,
        "\(rabbit.broker) refuses the login of \(Self.quoted(rabbit.user)) (\(Self.shown(code, text))): correct username"
          + " and password in [\(rabbit.section)].")
    case 530:
      return RecordFailure(
        .configuration,
        "\(rabbit.broker) does not let \(Self.quoted(rabbit.user)) use the virtual host \(Self.quoted(rabbit.vhost))"
          + " (\(Self.shown(code, text))): correct vhost in [\(rabbit.section)], or make it and give the user"
          + " permissions with rabbitmqctl.")
    default: return nil
    }
  }

  /// Of the channel while a queue is asked for.
  private func undeclared(_ rabbit: RabbitConfiguration, _ code: Int, _ text: String) -> RecordFailure? {
    let queue = Self.quoted(rabbit.queue ?? "")
    let said = Self.shown(code, text)
    let place = "[\(rabbit.section)]"
    switch code {
    case 404 where !isAway:
      return RecordFailure(
        .configuration,
        "\(rabbit.broker) has no queue \(queue) (\(said)): make it, correct queue in \(place), or write declare=auto."
      )
    case 406:
      return RecordFailure(
        .configuration,
        "\(rabbit.broker) has the queue \(queue) with other properties (\(said)): write declare=auto in \(place), or"
          + " correct [rabbit_queue_options].")
    case 403:
      return RecordFailure(
        .configuration,
        "\(rabbit.broker) does not let \(Self.quoted(rabbit.user)) have the queue \(queue) (\(said)): give the user"
          + " permission with rabbitmqctl set_permissions, or write declare=none in \(place).")
    default: return nil
    }
  }

  /// Of the channel while messages are published.
  private func refused(_ rabbit: RabbitConfiguration, _ code: Int, _ text: String) -> RecordFailure? {
    let exchange = Self.quoted(rabbit.exchange)
    let said = Self.shown(code, text)
    switch code {
    case 404 where !isAway:
      return RecordFailure(
        .configuration,
        "\(rabbit.broker) has no exchange \(exchange) (\(said)): make it, or correct exchange in [\(rabbit.section)]."
      )
    case 403:
      return RecordFailure(
        .configuration,
        "\(rabbit.broker) does not let \(Self.quoted(rabbit.user)) publish to the exchange \(exchange) (\(said)): give the"
          + " user permission with rabbitmqctl set_permissions.")
    case 406:
      return RecordFailure(
        .data,
        "\(rabbit.broker) refuses a record (\(said)): make records smaller, or raise max_message_size there.")
    default: return nil
    }
  }

  /// True for a queue that is there, on a node of the cluster that is not.
  var isAway: Bool {
    guard case .channelClosed(_, let text) = what else { return false }
    return text.contains("down or inaccessible")
  }

  /// True where the broker has ended the channel as a message is longer than it takes; it does not say which.
  var isOfLength: Bool {
    guard phase == .publishing, case .channelClosed(406, let text) = what else { return false }
    return text.contains("message size")
  }

  /// A broker's text, which may say anything.
  static func shown(_ text: String) -> String { text.escapingControlCharacters.shortened(to: 200) }

  private static func shown(_ code: Int, _ text: String) -> String {
    text.isEmpty ? "\(code)" : "\(code) \(shown(text))"
  }

  static func quoted(_ text: String) -> String { "\"\(text.escapingControlCharacters)\"" }
}
