public import Model

/// From which addresses of this host the targets of probes are reached.
///
/// What a target is reached by is asked of the kernel after each of its rounds: routes change.
public struct ProbePaths {
  private struct Path {
    var zone: UInt32
    var address: IPAddress
    var source: IPAddress?
  }

  private let towards: (IPAddress, UInt32) -> IPAddress?
  private var paths: [String: Path] = [:]

  /// Knows no target yet. `towards` tells the address of this host towards another, with the interface of a link-local
  /// one; nil where there is no route.
  public init(towards: @escaping (IPAddress, UInt32) -> IPAddress?) { self.towards = towards }

  /// The addresses of this host, each once, at most so many as a sensor is asked for.
  public var sources: [IPAddress] {
    let all = Set(paths.values.compactMap(\.source))
    return Array(all.sorted { ($0.high, $0.low) < ($1.high, $1.low) }.prefix(PathUsage.most))
  }

  /// The addresses of this host towards any of the targets with these names.
  public func sources(towards names: Set<String>) -> Set<IPAddress> {
    Set(names.compactMap { paths[$0]?.source })
  }

  /// Takes note of where a target is.
  public mutating func locate(_ target: ProbeTarget, zone: UInt32) {
    let before = paths[target.name].flatMap { $0.address == target.address ? $0.source : nil }
    let source = towards(target.address, zone) ?? before
    paths[target.name] = Path(zone: zone, address: target.address, source: source)
  }

  /// Asks again how a target is reached. Where there is no route any more it stays what it was.
  ///
  /// That is the path that fails.
  public mutating func refresh(_ name: String) {
    guard let path = paths[name], let source = towards(path.address, path.zone) else { return }
    paths[name]?.source = source
  }

  /// Forgets all targets but these.
  public mutating func keep(only names: Set<String>) { paths = paths.filter { names.contains($0.key) } }
}
