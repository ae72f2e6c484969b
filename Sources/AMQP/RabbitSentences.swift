import Model

/// What is said to an administrator. None of it has the password.
extension RabbitConfiguration {
  /// Why the first attempt to connect ends the publisher, where it does not wait for a broker.
  func firstFailure(_ trouble: RabbitTrouble) -> RecordFailure {
    let place = "correct host and port in [\(section)]"
    switch trouble.what {
    case .unresolved:
      return RecordFailure(
        .configuration, "the host \(RabbitTrouble.quoted(host)) is not known: \(place), or the name service.")
    case .unreachable:
      return RecordFailure(.later, "\(broker) does not take a connection: start RabbitMQ there, or \(place).")
    case .silent:
      return RecordFailure(.later, "\(broker) does not answer in time: look at RabbitMQ there, or \(place).")
    case .lost where trouble.phase == .connecting:
      return RecordFailure(
        .later,
        "\(broker) ends the connection (\(trouble.reason)): look at its log; if it speaks TLS on this port alone, write"
          + " use_ssl=yes in [\(section)].")
    default:
      return RecordFailure(
        .later, "\(broker) cannot be used (\(trouble.reason)): look at its log, and try again later.")
    }
  }

  /// Why the publisher ends after it has waited for so long.
  func failure(after verdict: DeliveryWatch.Verdict, isConnected: Bool, lastReason: String) -> RecordFailure {
    switch verdict {
    case .blocked(let limit):
      return RecordFailure(
        .later,
        "\(broker) has taken no messages for \(Self.text(limit)), as it lacks memory or disk: free some there (rabbitmqctl"
          + " status shows the alarm), and try again later.")
    case .unconfirmed(let limit) where isConnected:
      return RecordFailure(
        .later,
        "\(broker) has confirmed no message for \(Self.text(limit)): look at its queues and its log, and try again"
          + " later.")
    case .unconfirmed(let limit):
      return RecordFailure(
        .later,
        "\(broker) cannot be reached, and has confirmed no message for \(Self.text(limit)) (\(lastReason)): start"
          + " RabbitMQ there, and try again later.")
    }
  }

  /// Why a record was returned, and what the broker said of it.
  func unroutable(_ record: Record, _ reason: String) -> RecordFailure {
    let said = reason.isEmpty ? "" : " (\(RabbitTrouble.shown(reason)))"
    let key = RabbitTrouble.quoted(record.routingKey ?? routingKey ?? "")
    let place = exchange.isEmpty ? "the default exchange" : "the exchange \(RabbitTrouble.quoted(exchange))"
    let advice =
      exchange.isEmpty
      ? "make a queue of that name, or correct routing_key"
      : "bind a queue to it with that key, or correct exchange and routing_key"
    return RecordFailure(
      .later,
      "a message is unroutable: \(place) of \(broker) has no queue for the routing key \(key)\(said):"
        + " \(advice) in [\(section)]."
    )
  }

  /// Why a record was not taken.
  func refused(_ record: Record) -> RecordFailure {
    let key = RabbitTrouble.quoted(record.routingKey ?? routingKey ?? "")
    return RecordFailure(
      .later,
      "\(broker) has not taken a message with the routing key \(key) (nack): its queue is full or broken: look at it with"
        + " rabbitmqctl list_queues, and try again later.")
  }

  /// What is said when a connection is lost, or the first cannot be made.
  func notice(of trouble: RabbitTrouble, waiting: Int) -> String {
    let what = trouble.phase == .connecting ? "cannot be connected to" : "has lost the connection"
    let waiting = waiting == 0 ? "" : ", and \(waiting) \(waiting == 1 ? "message waits" : "messages wait")"
    return "\(broker) \(what) (\(trouble.reason)): this is tried again\(waiting)."
  }

  /// What is said when the broker blocks.
  func blockedNotice(_ reason: String, limit: Duration?) -> String {
    let limit = limit.map { " for at most \(Self.text($0))" } ?? ""
    return "\(broker) takes no messages for now (\(RabbitTrouble.shown(reason))): this waits\(limit)."
  }

  private static func text(_ duration: Duration) -> String {
    let tenths = (duration.wholeMilliseconds + 50) / 100
    return tenths % 10 == 0 ? "\(tenths / 10) s" : "\(tenths / 10).\(tenths % 10) s"
  }
}
