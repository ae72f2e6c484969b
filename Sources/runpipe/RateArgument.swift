import ArgumentParser
import Model
import Pipes

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

extension IPAddress {
  /// An address given as a flag's value.
  init(argument: String) throws {
    guard let address = IPAddress(argument) else {
      throw ValidationError("it must be an address of this host, for example 127.0.0.1 or ::1.")
    }
    self = address
  }
}

extension ProxyHeader.Version: ExpressibleByArgument {}
extension Configuration.Splice: ExpressibleByArgument {}
