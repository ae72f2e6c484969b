/// A message that is shipped to other machines, where it may arrive more than once.
public struct Record: Sendable, Hashable {
  /// A header field that goes with it.
  public struct Header: Sendable, Hashable {
    /// What it holds.
    public enum Value: Sendable, Hashable {
      case text(String)
      case number(Int64)
    }

    /// Its name: `x-rows`.
    public var name: String
    /// What it holds.
    public var value: Value

    /// Makes a field.
    public init(_ name: String, _ value: Value) {
      self.name = name
      self.value = value
    }
  }

  /// What copies of one record have in common, and no other record has: AMQP's message_id, HTTP's Idempotency-Key. Printable
  /// ASCII, at most 255 bytes.
  public var id: String
  /// Its text: JSON, in UTF-8.
  public var body: [UInt8]
  /// When it was made, in seconds since 1970.
  public var time: Int64
  /// What goes with it.
  public var headers: [Header]
  /// AMQP's routing key; nil is the one that the configuration has.
  public var routingKey: String?

  /// Makes a record.
  public init(id: String, body: [UInt8], time: Int64, headers: [Header] = [], routingKey: String? = nil) {
    self.id = id
    self.body = body
    self.time = time
    self.headers = headers
    self.routingKey = routingKey
  }
}

/// Where records go. What comes of them is reported to the function that it was made with, on any thread.
///
/// A sink keeps each record until the other side has confirmed or refused it, and sends it again where a connection was lost.
public protocol RecordSink: Sendable {
  /// Takes a record to deliver, and returns at once. `number` names it in what is reported. Its caller keeps a bound on how many
  /// are not yet delivered.
  func submit(_ record: Record, number: UInt64)

  /// Ends; what is not delivered yet stays with the caller. Nothing is reported afterwards.
  func stop()

  /// The same at the end of a program: waits so long at most until the other side knows.
  func stop(waiting limit: Duration)
}

extension RecordSink {
  /// Where the other side need not know, there is nothing to wait for.
  public func stop(waiting limit: Duration) { stop() }
}

/// What a sink reports.
public enum RecordOutcome: Sendable, Hashable {
  /// The other side was reached and takes records. A sink that connects before there is a record reports it with each connection.
  case connected
  /// The other side has confirmed the record of this number; each is reported once, in any order.
  case delivered(UInt64)
  /// The other side did not take the record of this number, and takes others: the sink goes on without it.
  case refused(UInt64, RecordFailure)
  /// Something that a person should know while it goes on by itself: one sentence.
  case notice(String)
  /// Nothing more is delivered: the sink has ended.
  case failed(RecordFailure)
}

/// Why a record was not taken, or a sink has ended.
public struct RecordFailure: Error, Sendable, Hashable, CustomStringConvertible {
  /// What can be done about it.
  public enum Kind: Sendable, Hashable {
    /// It may work later as it is.
    case later
    /// The configuration, here or on the other side, has to be corrected.
    case configuration
    /// The other side refuses what the record says.
    case data
  }

  /// What can be done about it.
  public var kind: Kind
  /// One sentence for an administrator, which ends with what to do.
  public var description: String

  /// Makes a reason.
  public init(_ kind: Kind, _ description: String) {
    self.kind = kind
    self.description = description
  }
}
