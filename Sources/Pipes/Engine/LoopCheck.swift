import Model
import Netfilter

/// Whether a pipe would forward to itself. Does no I/O.
struct LoopCheck: Sendable {
  /// Where the pipe listens; `::` for IPv6 alone.
  var listening: [Endpoint]
  /// The addresses of this host.
  var local: LocalAddresses

  /// The first of `targets` that leads back to the pipe; nil when none does.
  func loop(in targets: [Endpoint]) -> Endpoint? {
    targets.first { target in listening.contains { leads(target, to: $0) } }
  }

  private func leads(_ target: Endpoint, to listener: Endpoint) -> Bool {
    guard target.port == listener.port else { return false }
    // An unspecified target is this host (ip(7)); so is all of 127.0.0.0/8.
    let isHere = target.address.isUnspecified || target.address.isLoopback || local.contains(target.address)
    if target.address == listener.address { return true }
    guard target.address.isV4 == listener.address.isV4 else { return false }
    if target.address.isUnspecified { return listener.address.isUnspecified || listener.address.isLoopback }
    return listener.address.isUnspecified && isHere
  }
}
