/// How long a test waits for what must happen, also while a machine does much else. It is only reached by a failing
/// test.
public let patience = Duration.seconds(180)

/// Asks `condition` again and again until it has an answer and returns that.
///
/// - Throws: `LabError.deadline` after `limit`, with `state()` as what was there instead.
public func eventually<Answer>(
  _ awaited: @autoclosure () -> String, within limit: Duration = patience,
  state: () -> String = { "nothing" },
  condition: () async throws -> Answer?
) async throws -> Answer {
  let deadline = ContinuousClock.now + limit
  while true {
    if let answer = try await condition() { return answer }
    guard ContinuousClock.now < deadline else {
      throw LabError.deadline(waitingFor: awaited(), state: state())
    }
    try await Task.sleep(for: .milliseconds(10))
  }
}
