/// Runs a command to its end and returns its standard output.
///
/// - Throws: `LabError.failed` with both outputs when it does not exit with 0.
@discardableResult
public func run(_ arguments: [String]) async throws -> String {
  let child = try ChildProcess(arguments)
  child.closeInput()
  let status = try await child.ended()
  guard status == .exited(0) else {
    throw LabError.failed(
      command: child.command, status: status.description, output: child.errors.text + child.output.text)
  }
  return child.output.text
}

/// Runs a command line whose words have no spaces within.
@discardableResult
public func run(_ line: String) async throws -> String {
  try await run(line.split(separator: " ").map(String.init))
}
