import Model
import Netfilter

extension PipeConfiguration {
  /// Throws what `PipeMeter` would refuse in these together, as far as it is seen without a name being looked up: two
  /// in one place, and those that lead to themselves or round to each other.
  public static func check(_ all: [PipeConfiguration]) throws(PipeError) {
    var holders: [UInt16: [PipeConfiguration]] = [:]
    for configuration in all {
      let twin = holders[configuration.port, default: []].first { $0.overlaps(configuration) }
      if let twin { throw .duplicate(twin.placedName, configuration.placedName) }
      holders[configuration.port, default: []].append(configuration)
    }
    let local = (try? LocalAddressReader().read()) ?? LocalAddresses([])
    let ways = all.map { Ring.Way(name: $0.placedName, places: $0.places, targets: $0.knownTargets) }
    if let names = Ring.find(in: ways, local: local) { throw .ring(names) }
  }

  /// Where it will listen, `::` being for IPv4 as well.
  private var places: [Endpoint] {
    listening.address == .anyV6 ? [listening, Endpoint(address: .anyV4, port: port)] : [listening]
  }

  private func overlaps(_ other: PipeConfiguration) -> Bool {
    // Link-local addresses of two interfaces.
    if let interface = bindInterface, let second = other.bindInterface, interface != second { return false }
    return places.contains { place in
      other.places.contains {
        place.address == $0.address
          || place.address.isV4 == $0.address.isV4
            && (place.address.isUnspecified || $0.address.isUnspecified)
      }
    }
  }

  /// Where it leads, if its host is an address or the name of this host itself (RFC 6761, section 6.3).
  private var knownTargets: [Endpoint] {
    let addresses =
      host.lowercased() == "localhost" ? ["127.0.0.1", "::1"].map { IPAddress($0) } : [IPAddress(host)]
    return addresses.compactMap(\.self).map { Endpoint(address: $0, port: remotePort) }
  }
}
