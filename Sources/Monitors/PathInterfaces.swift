import Model
import Netfilter

/// The interfaces of some addresses of this host, and which of them the bytes of a flow passed.
///
/// The address that this host has in the flow says it, after address translation: the one that its peer sees.
public struct PathInterfaces: Sendable {
  /// Of no address: nothing is asked of a flow.
  public static let none = PathInterfaces(of: [], LocalAddresses([]))

  /// Each address that an interface has, with that.
  let paths: [(address: IPAddress, interface: Int32)]
  private let interfaces: Set<Int32>
  private let local: LocalAddresses

  /// The interfaces that have one of `addresses`, and which other addresses they have in `local`.
  public init(of addresses: [IPAddress], _ local: LocalAddresses) {
    paths = addresses.prefix(PathUsage.most).compactMap { address in
      // An address of this host that the loopback interface has (routing on the host) is not where packets to others leave.
      local.interface(of: address).flatMap {
        $0 == LocalAddresses.loopback && !address.isLoopback ? nil : (address, $0)
      }
    }
    interfaces = Set(paths.map(\.interface))
    self.local = local
  }

  /// The interface that the bytes of an end on this host passed; zero for none of these. What stays here passes the
  /// loopback interface.
  func interface(of flow: Flow, _ role: FlowEnd.Role, isLoopback: Bool) -> Int32 {
    if interfaces.isEmpty { return 0 }
    if isLoopback { return loopback }
    let (front, back) = sides(of: flow)
    // Of a container the other side may be the one that this host has an address on.
    switch role {
    case .client, .passing: return front != 0 ? front : back
    case .server: return back != 0 ? back : front
    }
  }

  /// The interfaces of a flow that only passes: where the server's side, and where the client's side sees this host. Zero
  /// where it sees another, or for none of these.
  func sides(of flow: Flow) -> (front: Int32, back: Int32) {
    if interfaces.isEmpty { return (0, 0) }
    return (interface(of: flow.reply.destination.address), interface(of: flow.original.destination.address))
  }

  /// The loopback interface, if it is one of these; else zero.
  var loopback: Int32 { interfaces.contains(LocalAddresses.loopback) ? LocalAddresses.loopback : 0 }

  /// The interface that has `address`; zero for none of these.
  func interface(of address: IPAddress) -> Int32 {
    guard !interfaces.isEmpty, let found = local.interface(of: address), interfaces.contains(found) else {
      return 0
    }
    return found
  }

  /// What passed each, of all that did: one for each address.
  func usages(_ moved: [InterfaceUsage]) -> [PathUsage] {
    paths.map { path in
      PathUsage(address: path.address, interface: path.interface, usage: moved.usage(of: [path.interface]))
    }
  }
}

extension FlowEnd {
  /// This end of a flow that passes as its two sides, each with its interface.
  func divided(front: (usage: Usage, interface: Int32), back: (usage: Usage, interface: Int32)) -> [FlowEnd] {
    var (first, second) = (self, self)
    (first.usage, first.interface) = front
    (second.usage, second.interface) = back
    second.carried = .zero
    return [first, second]
  }
}

/// What an owner moved, and what of that passed each interface that was asked for.
struct OwnerUsage: Sendable {
  private(set) var whole = SplitUsage()
  private var interfaces: [(interface: Int32, usage: SplitUsage)] = []

  mutating func add(
    _ usage: Usage, isLocal: Bool, isCarrier: Bool = false, _ certainty: Certainty, through interface: Int32
  ) {
    whole.add(usage, isLocal: isLocal, isCarrier: isCarrier, certainty)
    if interface == 0 { return }
    let place = interfaces.firstIndex { $0.interface == interface } ?? interfaces.endIndex
    if place == interfaces.endIndex { interfaces.append((interface, SplitUsage())) }
    interfaces[place].usage.add(usage, isLocal: isLocal, isCarrier: isCarrier, certainty)
  }

  /// What `choose` takes of each part.
  func parts(_ choose: (SplitUsage) -> Usage) -> [InterfaceUsage] {
    interfaces.compactMap { part in
      let usage = choose(part.usage)
      return usage.isZero ? nil : InterfaceUsage(interface: part.interface, usage: usage)
    }
  }
}
