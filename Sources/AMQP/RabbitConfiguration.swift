public import INI
import Model

/// Which broker, as whom, and where messages go: section `[rabbit]` of tstat_send's file, or one like it.
public struct RabbitConfiguration: Sendable, Hashable {
  /// A password, which no text ever shows.
  public struct Password: Sendable, Hashable, CustomStringConvertible, CustomDebugStringConvertible,
    CustomReflectable
  {
    let text: String

    /// Keeps a password.
    public init(_ text: String) { self.text = text }

    /// Stars, whatever it is.
    public var description: String { "***" }
    /// Stars, whatever it is.
    public var debugDescription: String { description }
    /// Nothing.
    public var customMirror: Mirror { Mirror(self, children: []) }
  }

  /// How TLS is spoken.
  public struct TLS: Sendable, Hashable {
    /// False to take any certificate.
    public var verifies = true
    /// A file of the certificates to trust, in place of the system's.
    public var authorities: String?
    /// A file with this side's certificate.
    public var certificate: String?
    /// A file with its key; nil where it is in the certificate's file.
    public var key: String?
    /// Ciphers for TLS 1.2, in OpenSSL's notation.
    public var ciphers: String?
    /// The name that the certificate must have; nil is the host.
    public var serverName: String?
    /// TLS 1.2, and no later version.
    public var isOnlyTLS12 = false

    /// Makes TLS that verifies the broker's certificate by the system's authorities.
    public init() {}
  }

  /// Whether the queue is asked for at the beginning of each connection.
  public enum Declaration: String, Sendable, Hashable, CaseIterable {
    /// It is looked for, and made where it is absent.
    case auto
    /// It must be there.
    case passive
    /// It is made; where it is there, it must have the same properties.
    case active
    /// Nothing is asked.
    case none
  }

  /// The properties of a queue that is made.
  public struct QueueOptions: Sendable, Hashable {
    /// It outlives the broker; what is in another one is lost with the broker, confirmed or not.
    public var isDurable = true
    /// It ends when its last consumer goes.
    public var isAutoDeleted = false

    /// Makes the options of a durable queue with none of the other properties.
    public init() {}
  }

  /// The section that this is from, for messages.
  public var section = "rabbit"
  /// The broker's name or address.
  public var host: String
  /// Its port.
  public var port: UInt16
  /// Who publishes.
  public var user: String
  /// The password of `user`.
  public var password: Password
  /// Nil is without TLS.
  public var tls: TLS?
  /// The virtual host.
  public var vhost = "/"
  /// The exchange; empty is the default one, whose routing keys are the names of queues.
  public var exchange = ""
  /// The queue that is declared; nil is none.
  public var queue: String?
  /// The routing key of records that have none of their own; nil is an empty one.
  public var routingKey: String?
  /// Whether the queue is asked for.
  public var declaration = Declaration.auto
  /// What the queue is where it is made.
  public var queueOptions = QueueOptions()
  /// Seconds; 0 is none.
  public var heartbeat = 60
  /// What is understood and most likely not meant so.
  public internal(set) var warnings: [INIWarning] = []

  /// Makes the configuration of a broker without TLS, its default exchange, and no queue.
  public init(host: String, port: UInt16, user: String, password: Password) {
    self.host = host
    self.port = port
    self.user = user
    self.password = password
  }

  /// The broker, for messages: `host:port`.
  public var broker: String {
    (host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)").escapingControlCharacters
  }
}

extension RabbitConfiguration: CustomStringConvertible {
  /// An address without its password: `amqps://user@host:5671/vhost`.
  public var description: String {
    "\(tls == nil ? "amqp" : "amqps")://\(user)@\(broker)/\(vhost == "/" ? "" : vhost)"
      .escapingControlCharacters
  }
}
