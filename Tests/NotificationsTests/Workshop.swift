import Foundation
import Lab
import Model
import Testing

@testable import Notifications

/// A folder for the files of one test's commands, gone with the test.
final class Workshop: Sendable {
  let path: String

  init() throws {
    path = NSTemporaryDirectory() + "/bwmon-test-" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  /// A rule whose command is a shell script that finds this folder as `$0`.
  func rule(
    _ script: String, for name: String = "web", onResolve: Bool = false, timeout: Duration = .seconds(600)
  ) -> CommandRule {
    CommandRule(
      rule: name, words: ["/bin/sh", "-c", script, path], runsOnResolve: onResolve, timeout: timeout)
  }

  /// The text of a file, nil while there is none.
  func text(_ name: String) -> String? {
    FileManager.default.contents(atPath: path + "/" + name).map { String(decoding: $0, as: UTF8.self) }
  }

  /// The complete lines of a file.
  func lines(_ name: String) -> [String] {
    (text(name) ?? "").split(separator: "\n", omittingEmptySubsequences: false).dropLast().map(String.init)
  }
}

extension Notifier {
  /// A notifier whose lines nobody reads.
  init(rules: [CommandRule], output: CInt = 2, warn: @escaping @Sendable (Warning) -> Void) {
    self.init(rules: rules, line: LineDelivery { _ in }, output: output, warn: warn)
  }
}

/// Runs the commands of `notifications` to their end; `isDone` tells when no more is expected.
func deliver(
  _ notifications: [Model.Notification], to rules: [CommandRule], output: CInt = 2,
  until isDone: () -> Bool = { true }
) async throws -> (warnings: [Warning], dropped: UInt64) {
  let (warnings, continuation) = AsyncStream.makeStream(of: Warning.self)
  var notifier = Notifier(rules: rules, output: output) { continuation.yield($0) }
  let service = notifier.service
  // However slow this machine is.
  async let end: Void = service.run(drainTime: .seconds(600))
  for notification in notifications { notifier.submit(notification) }
  try await wait(for: isDone)
  notifier.finish()
  await end
  continuation.finish()
  // That the end is waited for depends on when it comes.
  let reported = await warnings.filter { $0.code != "notifications_awaited" }.reduce(into: []) {
    $0.append($1)
  }
  return (reported, notifier.dropped)
}

/// Waits until `condition` holds; gives up with an issue when it does not after three minutes.
func wait(for condition: () -> Bool, _ location: SourceLocation = #_sourceLocation) async throws {
  for _ in 0..<18_000 {
    if condition() { return }
    try await Task.sleep(for: .milliseconds(10))
  }
  Issue.record("this never came true", sourceLocation: location)
}

/// True when no such process runs: it is gone, or its parent (an init that does not reap) has yet to look.
func isGone(_ pid: String) -> Bool {
  guard let data = FileManager.default.contents(atPath: "/proc/\(pid)/stat") else { return true }
  return String(decoding: data, as: UTF8.self).contains(") Z ")
}
