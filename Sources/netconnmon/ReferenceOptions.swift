import ArgumentParser
import Model
import Probes
import Program

/// The flags that say what must be reachable, and in what time.
struct ReferenceOptions: ParsableArguments {
  @Option(
    name: [.customShort("a", allowingJoined: true), .long],
    help: ArgumentHelp("The reference: a name or an address, IPv4 or IPv6.", valueName: "host"))
  var address = "8.8.8.8"

  @Option(name: [.customShort("p", allowingJoined: true), .long], help: "Its TCP port.")
  var port: UInt16 = 53

  @Option(
    help: ArgumentHelp(
      "A further reference, as often as wanted: 9.9.9.9:53, example.org:443, [2620:fe::fe]:53.",
      valueName: "host:port"),
    transform: { text in
      do throws(ReferenceEndpoint.Problem) { return try ReferenceEndpoint(text) } catch {
        throw ValidationError("it \(error.reason).")
      }
    })
  var also: [ReferenceEndpoint] = []

  @Option(
    name: [.customShort("t", allowingJoined: true), .long],
    help: ArgumentHelp(
      "A check without a connection after this time has failed; looking up a name is part of it. With 0 it has failed when the kernel gives up, after about two minutes.",
      valueName: "seconds"))
  var timeout = DurationArgument.seconds(2)

  /// More would be a load for others, and are a mistake.
  private static let mostReferences = 64

  mutating func validate() throws {
    if timeout.duration != .zero { try timeout.validate("--timeout", in: 0.01...86_400) }
    _ = try main
    if also.count >= Self.mostReferences {
      throw ValidationError("--also may be given \(Self.mostReferences - 1) times at most.")
    }
  }

  /// How long a check may take; nil as long as the kernel tries.
  var limit: Duration? { timeout.duration == .zero ? nil : timeout.duration }

  /// The reference of --address and --port.
  private var main: ReferenceEndpoint {
    get throws {
      do throws(ReferenceEndpoint.Problem) { return try ReferenceEndpoint(host: address, port: port) } catch {
        let shown = address.isEmpty ? "The address" : address.escapingControlCharacters
        throw ValidationError("\(shown) \(error.reason).")
      }
    }
  }

  /// All of them, each once.
  var references: [ReferenceEndpoint] {
    get throws {
      try ([main] + also).reduce(into: []) { list, reference in
        if !list.contains(reference) { list.append(reference) }
      }
    }
  }
}
