import Testing

/// Gives a suite one topology of its own, in `Laboratory.topology`.
///
/// ```swift
/// @Suite(.needs(.namespaces), .serialized, .laboratory()) struct ATests { ... }
/// ```
public struct Laboratory: SuiteTrait, TestScoping {
  let withC: Bool

  @TaskLocal private static var current: Topology?

  /// The topology of the running suite.
  public static var topology: Topology {
    get throws {
      guard let current else { throw LabError.missing("the trait .laboratory() on its suite") }
      return current
    }
  }

  /// Once for the suite, not once for each test.
  public var isRecursive: Bool { false }

  /// Makes the topology, runs the suite, removes the topology.
  public func provideScope(
    for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
  ) async throws {
    try await Self.$current.withValue(try await Topology(withC: withC)) { try await function() }
  }
}

extension Trait where Self == Laboratory {
  /// Two hosts on a wire, and a third behind the second if wanted.
  public static func laboratory(withC: Bool = false) -> Self { Laboratory(withC: withC) }
}
