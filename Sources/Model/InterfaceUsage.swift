/// What moved through one interface of this host.
public struct InterfaceUsage: Sendable, Hashable {
  /// The interface, by the kernel's number of it (netdevice(7), ifindex).
  public var interface: Int32
  /// The bytes, from the owner's view.
  public var usage: Usage

  /// Makes a usage.
  public init(interface: Int32, usage: Usage) {
    self.interface = interface
    self.usage = usage
  }
}

/// All that moved through the interface that has an address of this host, whoever moved it.
public struct PathUsage: Sendable, Hashable {
  /// The address that was asked for: what this host sends from towards somebody.
  public var address: IPAddress
  /// The interface that has it.
  public var interface: Int32
  /// The bytes, hidden ones included.
  public var usage: Usage
  /// How many addresses may be asked for at once. A reading tells so many interfaces apart.
  public static let most = 64

  /// Makes a usage.
  public init(address: IPAddress, interface: Int32, usage: Usage) {
    self.address = address
    self.interface = interface
    self.usage = usage
  }
}

extension [InterfaceUsage] {
  /// Adds what moved through one interface; there is one element for each.
  public mutating func add(_ usage: Usage, through interface: Int32) {
    if let place = firstIndex(where: { $0.interface == interface }) {
      self[place].usage += usage
    } else {
      append(InterfaceUsage(interface: interface, usage: usage))
    }
  }

  /// What moved through any of `interfaces`.
  public func usage(of interfaces: Set<Int32>) -> Usage {
    reduce(.zero) { interfaces.contains($1.interface) ? $0 + $1.usage : $0 }
  }
}

extension [PathUsage] {
  /// Adds what moved later.
  public mutating func add(_ later: [PathUsage]) {
    for path in later {
      if let place = firstIndex(where: { $0.address == path.address && $0.interface == path.interface }) {
        self[place].usage += path.usage
      } else {
        append(path)
      }
    }
  }
}
