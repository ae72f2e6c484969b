public import Model
import SystemRuntime
public import SystemPackage

/// Why a pipe cannot be opened. Each description ends with what to do.
public enum PipeError: Error, Sendable, Hashable {
  /// Somebody else listens there.
  case inUse(Endpoint)
  /// A pipe of this program listens there, on the address and port that its former configuration named.
  case ours(Endpoint, name: String)
  /// Ports below 1024 need a privilege.
  case privileged(Endpoint)
  /// The address to listen on is none of this host's.
  case notLocal(Endpoint)
  /// The link-local address to listen on names an interface that this host does not have.
  case noInterface(Endpoint, String)
  /// It cannot listen for another reason.
  case cannotListen(Endpoint, Errno)
  /// What the pipe forwards to is the pipe itself.
  case loop(name: String, Endpoint)
  /// These pipes forward to each other; one alone to itself.
  case ring([String])
  /// Two pipes want the same place to listen.
  case duplicate(String, String)
  /// Any of the others, for the section at this file and line.
  indirect case at(String, PipeError)
  /// Linux refused something that every pipe needs.
  case kernel(KernelError)
}

extension PipeError: CustomStringConvertible {
  /// Root lacks it where its container or unit withholds it.
  private static var bindAdvice: String {
    ProcessUser.isRoot
      ? "Give CAP_NET_BIND_SERVICE to this container (docker: --cap-add) or unit (systemd: CapabilityBoundingSet=)"
      : "Run as root, give the program CAP_NET_BIND_SERVICE (`setcap cap_net_bind_service+ep /its/path`, with what it has "
        + "already)"
  }

  /// A sentence for an administrator.
  public var description: String {
    switch self {
    case .inUse(let endpoint):
      "cannot listen on \(endpoint): it is in use. `ss -ltnp 'sport = :\(endpoint.port)'` says by whom; stop that, "
        + "or take another port."
    case .ours(let endpoint, let name):
      "cannot listen on \(endpoint): \(name) of this program holds the port. A change of bind needs a restart."
    case .privileged(let endpoint):
      "cannot listen on \(endpoint): ports below 1024 need a privilege. \(Self.bindAdvice), or take a "
        + "higher port."
    case .notLocal(let endpoint):
      "cannot listen on \(endpoint): this host does not have that address. `ip address` lists those it has."
    case .noInterface(let endpoint, let name):
      "cannot listen on \(endpoint): this host has no interface \(name.escapingControlCharacters). `ip link` lists those "
        + "it has."
    case .cannotListen(let endpoint, let errno):
      "cannot listen on \(endpoint): \(errno.description). Check the address and the port."
    case .loop(let name, let endpoint):
      "\(name) would forward to itself, for ever: \(endpoint) is where it listens. Name another target or port."
    case .ring(let names):
      names.count == 1
        ? "\(names[0]) would forward to itself, for ever. Name another target or port."
        : "\(names.joined(separator: ", ")) would forward to each other, for ever. Name another target for one of them."
    case .duplicate(let first, let second):
      "\(first) and \(second) would listen on the same address and port: change one of them."
    case .at(let place, let error): "\(place): \(error)"
    case .kernel(let error): error.description
    }
  }

  init(listeningOn endpoint: Endpoint, _ errno: Errno) {
    self =
      switch errno {
      case .addressInUse: .inUse(endpoint)
      case .permissionDenied, .notPermitted: .privileged(endpoint)
      case .addressNotAvailable: .notLocal(endpoint)
      case _ where errno.isShortage: .kernel(.failed("cannot listen on \(endpoint)", errno))
      default: .cannotListen(endpoint, errno)
      }
  }
}
