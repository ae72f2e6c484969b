import Model
import Output
import Program
import SystemRuntime
import Tstat

/// What a run says: the original's lines on standard error and sums on standard output, or JSON.
struct CullWriter {
  private let isJSON: Bool
  private let isDryRun: Bool
  private let isVerbose: Bool
  private let diagnostics: Diagnostics
  private let run = WallClock.now().seconds
  private var removedCount = 0
  private var failedCount = 0
  private var keptCount = 0
  private var freedBytes: Int64 = 0

  init(isJSON: Bool, isDryRun: Bool, isVerbose: Bool, diagnostics: Diagnostics) {
    self.isJSON = isJSON
    self.isDryRun = isDryRun
    self.isVerbose = isVerbose
    self.diagnostics = diagnostics
  }

  /// Says what makes the run less than it could be.
  func warn(_ text: String) { diagnostics.warning(text) }

  /// Says what failed.
  func error(_ error: LogDirectoryError) { diagnostics.error(error) }

  /// Says, with --verbose, what is to be known.
  func note(_ text: String) { if isVerbose { diagnostics.note(text) } }

  /// Says that a directory is about to be removed.
  func begin(_ path: String) {
    guard !isJSON else { return }
    let words = isDryRun ? "dry run, not removing" : "removing"
    diagnostics.line(
      EventLine(time: WallClock.now(), event: "main.run", run: run, text: "\(words) \(path)").description)
  }

  /// Says that a directory is gone, or would be.
  mutating func removed(_ path: String, _ cause: CullPlan.Cause, bytes: Int64) throws(KernelError) {
    removedCount += 1
    freedBytes &+= bytes
    if isJSON {
      try object(isDryRun ? "would_remove" : "removed", path) {
        $0.field("reason", cause.code)
        $0.field("bytes", bytes)
      }
    } else {
      try StandardOutput.printLine(
        "\(path.escapingControlCharacters): \(bytes) bytes \(isDryRun ? "would be freed" : "freed")")
    }
  }

  /// Says that a part of a directory is left.
  mutating func failed(_ path: String, bytes: Int64, _ failure: LogDirectoryError) throws(KernelError) {
    failedCount += 1
    freedBytes &+= bytes
    guard isJSON else { return }
    try object("failed", path) {
      $0.field("reason", failure.description)
      $0.field("bytes", bytes)
    }
  }

  /// Says, with --verbose, why a directory stays.
  mutating func kept(_ path: String, _ reason: CullPlan.Reason) throws(KernelError) {
    keptCount += 1
    guard isVerbose else { return }
    if isJSON {
      try object("kept", path) { $0.field("reason", reason.code) }
    } else {
      note("\(path) stays: \(reason.sentence).")
    }
  }

  /// Says what all of it came to.
  func finish() throws(KernelError) {
    if isJSON {
      try line {
        $0.field("event", "cull_total")
        $0.field("time", WallClock.now().rfc3339)
        $0.field("dry_run", isDryRun)
        $0.field("removed", removedCount)
        $0.field("failed", failedCount)
        $0.field("kept", keptCount)
        $0.field("bytes", freedBytes)
      }
    } else if removedCount + failedCount > 0 || isVerbose {
      let directories = removedCount == 1 ? "directory" : "directories"
      try StandardOutput.printLine(
        isDryRun
          ? "\(removedCount) \(directories) would be removed, \(freedBytes) bytes of disk blocks would be freed"
          : "\(removedCount) \(directories) removed, \(freedBytes) bytes of disk blocks freed")
    }
  }

  private func object(
    _ state: String, _ path: String, _ body: (inout JSONWriter) -> Void
  ) throws(KernelError) {
    try line {
      $0.field("event", "cull")
      $0.field("time", WallClock.now().rfc3339)
      $0.field("state", state)
      $0.field("path", path)
      body(&$0)
    }
  }

  private func line(_ body: (inout JSONWriter) -> Void) throws(KernelError) {
    var text: [UInt8] = []
    var writer = JSONWriter(after: &text, capacity: 256)
    writer.object {
      $0.field("schema", 1)
      body(&$0)
    }
    writer.endLine(into: &text)
    try StandardOutput.printLine(String(decoding: text.dropLast(), as: UTF8.self))
  }
}

extension CullPlan.Cause {
  fileprivate var code: String {
    switch self {
    case .expired: "expired"
    case .tooMuch: "max_bytes"
    }
  }
}

extension CullPlan.Reason {
  fileprivate var code: String {
    switch self {
    case .notProcessed: "not_processed"
    case .unfinished: "unfinished"
    case .live: "live"
    case .root: "root"
    case .young: "young"
    case .future: "future"
    }
  }

  fileprivate var sentence: String {
    switch self {
    case .notProcessed: "it is not marked as sent"
    case .unfinished: "only a part of it was sent"
    case .live(.newest(let age)):
      "it is the newest of its folder, and its logs were changed \(age.whole) s ago"
    case .live(.clockSetBack(let age)):
      "clocks were set back after later names were written, and its logs were changed \(age.whole) s ago"
    case .root: "it is what --directory names"
    case .young(let age): "it was sent \(age.whole / 3600) hours and \(age.whole % 3600 / 60) minutes ago"
    case .future(let time): "it was marked \(time.whole) s after now: see whether the clock is right"
    }
  }
}

extension Duration {
  fileprivate var whole: Int64 { components.seconds }
}
