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

extension BindAddress {
  /// An address given as a flag's value.
  init(argument: String) throws {
    do throws(BindAddress.Problem) { self = try BindAddress(argument) } catch {
      throw ValidationError("it \(error.reason).")
    }
  }
}

extension ProxyHeader.Version: ExpressibleByArgument {}
extension Configuration.Splice: ExpressibleByArgument {}
