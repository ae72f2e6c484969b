public import Model

/// What one pipe does.
public struct PipeConfiguration: Sendable, Hashable {
  /// How bytes go through.
  public enum Splice: String, Sendable, Hashable, CaseIterable {
    /// As fits the size of what arrives.
    case auto
    /// In the kernel, whatever the size.
    case on
    /// Copied through user space.
    case off
  }

  /// The port to listen on.
  public var port: UInt16
  /// The host to forward to, a name or an address.
  public var host: String
  /// The port to forward to.
  public var remotePort: UInt16
  /// The address to listen on; nil for all of this host's, IPv4 and IPv6.
  public var bind: IPAddress?
  /// The interface of a link-local `bind`, by name or number.
  public var bindInterface: String?
  /// The most that comes from clients in a second, all connections together; nil for no limit.
  public var receivedLimit: Rate?
  /// The most that goes to clients in a second, all connections together; nil for no limit.
  public var sentLimit: Rate?
  /// How many connections may be open at a time; more wait in the kernel. nil for as many as descriptors allow.
  public var maxConnections: Int?
  /// How long a client waits for the target, the search for its addresses included.
  public var connectTimeout = Duration.seconds(10)
  /// How long an open connection may be silent; nil for ever.
  public var idleTimeout: Duration?
  /// How long a connection may be silent of which one side has finished sending.
  public var finTimeout = Duration.seconds(300)
  /// The header that names the client to the target.
  public var sendsProxy: ProxyHeader.Version?
  /// Whether each connection begins with a PROXY header that names the client.
  public var acceptsProxy = false
  /// How bytes go through.
  public var splice = Splice.auto
  /// Whether bytes are counted per client as well.
  public var listsClients = false
  /// The file and line of the section that says all this; nil where flags do. Warnings name its keys then, else the
  /// flags.
  public var place: String?
  /// What the administrator should know of how this was read.
  public var warnings: [Warning] = []

  /// Makes a pipe from `port` to `remotePort` of `host`.
  public init(port: UInt16, host: String, remotePort: UInt16, bind: IPAddress? = nil) {
    self.port = port
    self.host = host
    self.remotePort = remotePort
    self.bind = bind
  }

  /// `pipe-PORT:HOST:REMOTEPORT`, as the predecessor named it.
  public var name: String { "pipe-\(port):\(host):\(remotePort)" }

  /// Its name, behind the place where it is configured.
  var placedName: String { place.map { "\($0): \(name)" } ?? name }

  /// What the administrator calls the setting that is `flag` on the command line.
  func setting(_ flag: String) -> String {
    place != nil ? String(flag.drop { $0 == "-" }.map { $0 == "-" ? "_" : $0 }) : flag
  }

  /// What the limit of connections is called; nil where there is none of its own.
  var limitName: String? { maxConnections.map { _ in setting("--max-conn") } }

  /// Whether it listens in the same place as `other`.
  func hasPlace(of other: PipeConfiguration) -> Bool {
    listening == other.listening && bindInterface == other.bindInterface
  }

  /// Where it listens.
  var listening: Endpoint { Endpoint(address: bind ?? .anyV6, port: port) }
}

extension Rate {
  /// Reads `RATE[k|M|G]` in bytes per second, k being 1024; nil for anything else, and below one byte per second.
  public init?(limit text: String) {
    let units: [Character: Double] = [
      "k": 1024, "K": 1024, "m": 0x1p20, "M": 0x1p20, "g": 0x1p30, "G": 0x1p30,
    ]
    let factor = text.last.flatMap { units[$0] }
    let digits = factor == nil ? text[...] : text.dropLast()
    guard !digits.isEmpty, digits.count <= 20, digits.allSatisfy({ ("0"..."9").contains($0) || $0 == "." }),
      let number = Double(digits), case let value = number * (factor ?? 1), value >= 1, value <= 0x1p50
    else { return nil }
    self = .bytesPerSecond(value)
  }
}
