import ArgumentParser
import Model
import Pipes

/// A limit given as a flag's value.
struct RateArgument: ExpressibleByArgument {
  let rate: Rate

  init?(argument: String) {
    guard let rate = Rate(limit: argument) else { return nil }
    self.rate = rate
  }
}

/// An address given as a flag's value.
struct AddressArgument: ExpressibleByArgument {
  let address: IPAddress

  init?(argument: String) {
    guard let address = IPAddress(argument) else { return nil }
    self.address = address
  }
}

extension ProxyHeader.Version: ExpressibleByArgument {}
extension Configuration.Splice: ExpressibleByArgument {}
