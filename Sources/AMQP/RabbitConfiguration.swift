public import INI
import Model

/// Which broker, as whom, and where messages go: section `[rabbit]` of tstat_send's file, or one like it.
public struct RabbitConfiguration: Sendable, Hashable {
  /// A password, which no text ever shows.
  struct Password: Sendable, Hashable, CustomStringConvertible, CustomDebugStringConvertible,
    CustomReflectable
  {
    let text: String

    /// Keeps a password.
    init(_ text: String) { self.text = text }

    /// Stars, whatever it is.
    var description: String { "***" }
    /// Stars, whatever it is.
    var debugDescription: String { description }
    /// Nothing.
    var customMirror: Mirror { Mirror(self, children: []) }
  }

  /// How TLS is spoken.
  struct TLS: Sendable, Hashable {
    /// False to take any certificate.
    var verifies = true
    /// A file of the certificates to trust, in place of the system's.
    var authorities: String?
    /// A file with this side's certificate.
    var certificate: String?
    /// A file with its key; nil where it is in the certificate's file.
    var key: String?
    /// Ciphers for TLS 1.2, in OpenSSL's notation.
    var ciphers: String?
    /// The name that the certificate must have; nil is the host.
    var serverName: String?
    /// TLS 1.2, and no later version.
    var isOnlyTLS12 = false

    /// Makes TLS that verifies the broker's certificate by the system's authorities.
    init() {}
  }

  /// Whether the queue is asked for at the beginning of each connection.
  enum Declaration: String, Sendable, Hashable, CaseIterable {
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
  struct QueueOptions: Sendable, Hashable {
    /// It outlives the broker; what is in another one is lost with the broker, confirmed or not.
    var isDurable = true
    /// It ends when its last consumer goes.
    var isAutoDeleted = false

    /// Makes the options of a durable queue with none of the other properties.
    init() {}
  }

  /// The section that this is from, for messages.
  var section = "rabbit"
  /// The broker's name or address.
  var host: String
  /// Its port.
  var port: UInt16
  /// Who publishes.
  var user: String
  /// The password of `user`.
  var password: Password
  /// Nil is without TLS.
  var tls: TLS?
  /// The virtual host.
  var vhost = "/"
  /// The exchange; empty is the default one, whose routing keys are the names of queues.
  var exchange = ""
  /// The queue that is declared; nil is none.
  var queue: String?
  /// The routing key of records that have none of their own; nil is an empty one.
  var routingKey: String?
  /// Whether the queue is asked for.
  var declaration = Declaration.auto
  /// What the queue is where it is made.
  var queueOptions = QueueOptions()
  /// Seconds; 0 is none.
  var heartbeat = 60
  /// What is understood and most likely not meant so.
  public internal(set) var warnings: [INIWarning] = []

  /// Makes the configuration of a broker without TLS, its default exchange, and no queue.
  init(host: String, port: UInt16, user: String, password: Password) {
    self.host = host
    self.port = port
    self.user = user
    self.password = password
  }

  /// The broker, for messages: `host:port`.
  var broker: String {
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
