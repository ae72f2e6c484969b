import ArgumentParser
import Patterns

/// A regular expression given as a flag's value.
public struct PatternArgument: ExpressibleByArgument {
  /// The compiled expression.
  public let pattern: Pattern

  /// Compiles `argument`; nil, which ArgumentParser reports as a wrong value, if it is none.
  public init?(argument: String) {
    guard let pattern = try? Pattern(argument) else { return nil }
    self.pattern = pattern
  }
}
