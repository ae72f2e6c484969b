import ArgumentParser
import Model
import Pipes
import Program
import SystemRuntime

/// The flags that say what the pipe does.
struct PipeOptions: ParsableArguments {
  @Argument(help: "The port to listen on.", transform: PortArgument.init(argument:))
  var port: PortArgument

  @Argument(help: "The host to forward to, a name or an address.")
  var host: String

  @Argument(
    help: ArgumentHelp("The port to forward to; the same as the first if absent.", valueName: "remote-port"),
    transform: PortArgument.init(argument:))
  var remotePort: PortArgument?

  @Option(
    help: ArgumentHelp("Listen on this address only. (default: all, IPv4 and IPv6)", valueName: "address"),
    transform: BindAddress.init(argument:))
  var bind: BindAddress?

  @Option(
    help: ArgumentHelp(
      "Let at most this much in from clients in a second: bytes, or with k, M, G.", valueName: "rate"),
    transform: Rate.init(argument:))
  var limitIn: Rate?

  @Option(
    help: ArgumentHelp("Let at most this much out to clients in a second.", valueName: "rate"),
    transform: Rate.init(argument:))
  var limitOut: Rate?

  @Option(
    help: ArgumentHelp("The same limit for each direction.", valueName: "rate"),
    transform: Rate.init(argument:))
  var limit: Rate?

  @Option(help: ArgumentHelp("Have at most this many connections open; more clients wait.", valueName: "n"))
  var maxConn: Int?

  @Option(
    help: ArgumentHelp("Refuse a client when the target has not answered in this time.", valueName: "seconds")
  )
  var connectTimeout = DurationArgument.seconds(10)

  @Option(
    help: ArgumentHelp(
      "Close a connection that was silent for this time; without it none is.", valueName: "seconds"))
  var idleTimeout: DurationArgument?

  @Option(help: ArgumentHelp("The same once one side has finished sending.", valueName: "seconds"))
  var finTimeout = DurationArgument.seconds(300)

  @Option(help: "Tell the target who the client is, by a PROXY header: v1 or v2.")
  var sendProxy: ProxyHeader.Version?

  @Flag(help: "Expect a PROXY header from each client, of either version.")
  var acceptProxy = false

  @Option(help: "Move bytes in the kernel (on), copy them (off), or choose by their size (auto).")
  var splice: PipeConfiguration.Splice = .auto

  @Flag(help: "Count per client too; a client on this host by its process.")
  var clients = false

  mutating func validate() throws {
    host = PipeConfiguration.withoutBrackets(host)
    if let reason = PipeConfiguration.reasonNotAHost(host) {
      throw ValidationError("The host\(host.isEmpty ? "" : " " + host.escapingControlCharacters) \(reason).")
    }
    if let maxConn, maxConn < 1 { throw ValidationError("--max-conn must be at least 1.") }
    if limit != nil, limitIn != nil || limitOut != nil {
      throw ValidationError("--limit stands for --limit-in and --limit-out: give either it or them.")
    }
    let times: [(String, DurationArgument?)] = [
      ("--connect-timeout", connectTimeout), ("--idle-timeout", idleTimeout), ("--fin-timeout", finTimeout),
    ]
    for case (let name, let time?) in times { try time.validate(name, in: 0.01...31_536_000) }
  }

  /// What the flags say.
  var configuration: PipeConfiguration {
    var configuration = PipeConfiguration(
      port: port.number, host: host, remotePort: (remotePort ?? port).number, bind: bind?.address)
    configuration.bindInterface = bind?.interface
    configuration.receivedLimit = limitIn ?? limit
    configuration.sentLimit = limitOut ?? limit
    configuration.maxConnections = maxConn
    configuration.connectTimeout = connectTimeout.duration
    configuration.idleTimeout = idleTimeout?.duration
    configuration.finTimeout = finTimeout.duration
    configuration.sendsProxy = sendProxy
    configuration.acceptsProxy = acceptProxy
    configuration.splice = splice
    configuration.listsClients = clients
    return configuration
  }
}

/// A port given as an argument.
struct PortArgument {
  let number: UInt16

  init(argument: String) throws {
    guard let number = UInt16(argument), number > 0 else {
      throw ValidationError("it must be a number between 1 and 65535.")
    }
    self.number = number
  }
}

extension Rate {
  /// A limit given as a flag's value.
  init(argument: String) throws {
    guard let rate = Rate(limit: argument) else {
      throw ValidationError(
        "it must be at least 1 and at most 2^50 bytes in a second, as a number or one with k, M or G (of 1024): 500k, 1.5M."
      )
    }
    self = rate
  }
}

extension BindAddress {
  /// An address given as a flag's value.
  init(argument: String) throws {
    do throws(BindAddress.Problem) { self = try BindAddress(argument) } catch {
      throw ValidationError("it \(error.reason).")
    }
  }
}

extension ProxyHeader.Version: ExpressibleByArgument {}
extension PipeConfiguration.Splice: ExpressibleByArgument {}
