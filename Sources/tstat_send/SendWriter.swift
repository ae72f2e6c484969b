import Model
import Output
import Program
import SystemRuntime
import Tstat

/// What a run says: the original's lines on standard error, or JSON, and on a terminal how far it is.
struct SendWriter {
  /// How far a directory is.
  private struct Part {
    var counts = LogSlices.Counts()
    var directory: LogDirectory?
  }

  private let isJSON: Bool
  /// Whether all is said.
  let isVerbose: Bool
  private let isPrinted: Bool
  private let diagnostics: Diagnostics
  private let run = WallClock.now().seconds
  private var meter: ProgressMeter?
  private var parts: [Int: Part] = [:]
  private var total = LogSlices.Counts()
  private var doneCount = 0
  private var liveCount = 0
  private var goneCount = 0
  private var acknowledgedCount = 0

  init(isJSON: Bool, isVerbose: Bool, isPrinted: Bool, diagnostics: Diagnostics) {
    self.isJSON = isJSON
    self.isVerbose = isVerbose
    self.isPrinted = isPrinted
    self.diagnostics = diagnostics
    if StandardError.isTerminal, !isVerbose { meter = ProgressMeter(start: .now) }
  }

  /// How long to wait for something to say before the line of progress is due again; nil is for ever.
  var patience: Duration? { meter == nil ? nil : ProgressMeter.interval }

  /// Takes the line of progress away, because another one follows.
  func clear() { meter?.clear() }

  func warn(_ text: String) {
    clear()
    diagnostics.warning(text)
  }

  func error(_ text: String) {
    clear()
    diagnostics.error(text)
  }

  func note(_ text: String) {
    guard isVerbose else { return }
    clear()
    diagnostics.note(text)
  }

  private func event(_ event: String, _ text: String) {
    guard !isJSON else { return }
    clear()
    diagnostics.line(EventLine(time: WallClock.now(), event: event, run: run, text: text).description)
  }

  /// Says what was passed over.
  func remark(_ remark: LogDirectories.Remark) {
    switch remark.reason {
    case .unreadable, .tooDeep, .notText, .notPlain, .link, .plainTaken: warn(remark.description)
    case .vanished: note(remark.description)
    }
  }

  /// Says of a directory that it may still be written.
  mutating func live(_ directory: LogDirectory, _ reason: SettleRule.Reason) {
    liveCount += 1
    let why =
      switch reason {
      case .newest(let changed):
        "it is the newest of its folder, and was written \(Int(changed.inSeconds)) s ago"
      case .clockSetBack(let changed):
        "it was made after those with later names, and was written \(Int(changed.inSeconds)) s ago"
      }
    note("\(directory.path) is left for later: \(why).")
  }

  /// Says that a directory went before it was read.
  mutating func gone(_ directory: LogDirectory) {
    goneCount += 1
    event("process_output.gone", "\(directory.path) is gone: nothing of it is sent")
  }

  mutating func begin(_ directories: [LogDirectory]) {
    let bytes = directories.flatMap(\.logs).reduce(Int64(0)) { $0 + $1.size }
    meter?.begin(directories: directories.count, bytes: bytes)
  }

  mutating func begin(_ number: Int, _ directory: LogDirectory, acknowledged: Int) {
    parts[number] = Part(directory: directory)
    for log in directory.logs {
      event("process_output.run", "processing: \(directory.path)/\(log.name)")
    }
    if acknowledged > 0 {
      event(
        "process_output.resume",
        "\(directory.path): \(acknowledged) messages were confirmed to an earlier run")
    }
  }

  func startsAgain(_ directory: LogDirectory, _ reason: String) {
    warn(
      "\(directory.path) is sent from its beginning, with what was confirmed before: of its state file, \(reason)."
    )
  }

  func say(_ remarks: [String]) {
    for remark in remarks { isJSON ? warn(remark) : event("process_output.warn", remark) }
  }

  mutating func read(_ number: Int, _ counts: LogSlices.Counts) { parts[number]?.counts = counts }

  func submitted(_ slice: Slice, of directory: LogDirectory, id: String) {
    guard isVerbose else { return }
    event(
      "_process_payload.run",
      "\(directory.path): message \(slice.number + 1) of \(slice.recordCount) objects, id \(id)"
    )
  }

  mutating func acknowledged() { acknowledgedCount += 1 }

  func ending() { event("main.exit", "interrupted: the directory that is being sent is finished first") }

  /// Says that all of a directory is confirmed.
  mutating func finished(_ number: Int, _ directory: LogDirectory, isMarked: Bool) {
    let counts = parts.removeValue(forKey: number)?.counts ?? LogSlices.Counts()
    total.add(counts)
    doneCount += 1
    if counts.records == 0 { event("_process_payload.done", "no payload") }
    event(
      "process_output.done",
      "\(directory.path): \(counts.records) objects\(isMarked ? ", marked as sent" : ", not marked")")
    guard isJSON else { return }
    object("shipped") {
      $0.field("path", directory.path)
      $0.field("marked", isMarked)
      $0.fields(of: counts)
    }
  }

  /// Says what all of it came to.
  func finish(isInterrupted: Bool) {
    clear()
    event(
      "main.done",
      "\(doneCount) directories, \(total.rows) rows, \(total.records) objects, \(acknowledgedCount) messages confirmed; "
        + "\(liveCount) directories are left for later")
    guard isJSON else { return }
    object("shipped_total") {
      $0.field("directories", doneCount)
      $0.field("messages", acknowledgedCount)
      $0.field("left_for_later", liveCount)
      $0.field("gone", goneCount)
      $0.field("interrupted", isInterrupted)
      $0.fields(of: total)
    }
  }

  /// Shows how far it is, at most a few times a second.
  mutating func progress() {
    guard meter != nil else { return }
    var now = total
    for part in parts.values { now.add(part.counts) }
    meter?.show(now, directories: doneCount, acknowledged: acknowledgedCount, at: .now)
  }

  private func object(_ event: String, _ body: (inout JSONWriter) -> Void) {
    var text: [UInt8] = []
    var json = JSONWriter(after: &text, capacity: 256)
    json.object {
      $0.field("schema", 1)
      $0.field("event", event)
      $0.field("time", WallClock.now().rfc3339)
      body(&$0)
    }
    json.endLine(into: &text)
    let line = String(decoding: text, as: UTF8.self)
    clear()
    // Standard output has the messages themselves.
    if isPrinted { StandardError.write(line) } else { try? StandardOutput.printLine(String(line.dropLast())) }
  }
}

extension JSONWriter {
  fileprivate mutating func fields(of counts: LogSlices.Counts) {
    field("rows", counts.rows)
    field("broken", counts.broken)
    field("objects", counts.records)
    field("bytes", counts.bytes)
  }
}
