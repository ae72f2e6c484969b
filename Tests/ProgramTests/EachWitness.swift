import Lab
import Testing

/// Runs each test of a suite once for every way in which `--witness` can find who moved the bytes.
///
/// A `Reporter` that is not told otherwise takes the way whose turn it is. Put `.sayingTheWitness` beside it, so that a
/// failure says with which one.
struct EachWitness: SuiteTrait, TestTrait, TestScoping {
  @TaskLocal static var way: String?

  /// What each needs of the machine.
  private static let ways: [(name: String, needs: Requirement?)] = [
    ("lookup", nil), ("bpf-5.8", .packets), ("bpf", .calls),
  ]

  var isRecursive: Bool { true }

  func scopeProvider(for test: Test, testCase: Test.Case?) -> Self? { testCase == nil ? nil : self }

  func provideScope(
    for test: Test, testCase: Test.Case?, performing body: @Sendable () async throws -> Void
  ) async throws {
    for (name, requirement) in Self.ways {
      try await requirement?.orSkip()
      try await Self.$way.withValue(name) { try await body() }
    }
  }
}

extension Trait where Self == EachWitness {
  /// Runs each test with every way of `--witness`.
  static var eachWitness: Self { Self() }
}

extension Trait where Self == IssueHandlingTrait {
  /// Says with which way of `--witness` a test has failed.
  static var sayingTheWitness: Self {
    .compactMapIssues { issue in
      var issue = issue
      if let way = EachWitness.way { issue.comments.append("with --witness \(way)") }
      return issue
    }
  }
}
