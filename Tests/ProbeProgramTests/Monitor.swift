import Foundation
import Glibc
import Lab

/// connmonitor with a file of its own.
struct Monitor: Sendable {
  let process: ChildProcess
  let file: String
  private let folder: ScratchFolder

  /// Starts it with the lines of `text`; `user` is what comes before the program.
  init(
    _ text: String, in host: NetworkNamespace, as user: [String] = [],
    program: String = Program.path("connmonitor"), output: ChildProcess.Output = .file
  ) throws {
    folder = try ScratchFolder()
    file = try folder.write(text + "\n", to: "targets.conf")
    process = try host.start(user + [program, file], output: output)
  }

  /// Replaces the file and says so.
  func reload(_ text: String) throws {
    try folder.write(text + "\n", to: "targets.conf")
    process.signal(SIGHUP)
  }

  /// The records so far, all of which must be JSON.
  func records() throws -> [OriginalRecord] {
    try process.output.lines.filter { !$0.isEmpty }.map { try OriginalRecord(line: $0) }
  }

  /// Waits for a record, from the one with this index on.
  @discardableResult
  func record(
    _ awaited: String, from start: Int = 0, where condition: (OriginalRecord) -> Bool = { _ in true }
  ) async throws -> OriginalRecord {
    try await eventually(awaited, state: { state }) {
      if let status = process.status {
        throw LabError.failed(command: process.command, status: "\(status)", output: state)
      }
      return try records().dropFirst(start).first(where: condition)
    }
  }

  /// Waits for a line on standard error that has `text` in it.
  @discardableResult
  func message(_ text: String) async throws -> String {
    try await eventually("a message with \(text)", state: { state }) {
      process.errors.lines.first { $0.contains(text) }
    }
  }

  /// Ends it; whether it ended well and with an empty line.
  func endsWell() async throws -> Bool {
    let status = try await process.stop()
    return status == .exited(0) && process.output.lines.last == ""
  }

  private var state: String {
    (process.output.lines.suffix(5) + [process.errors.text]).joined(separator: "\n")
  }
}
