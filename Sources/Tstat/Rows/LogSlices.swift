import SystemPackage
import SystemRuntime

/// The slices of a log directory: the rows of its TCP log, then those of its UDP log, as one list that is cut at a hundred.
package struct LogSlices: ~Copyable {
  /// A log of the directory.
  package struct Log: Sendable, Hashable {
    /// What it tells of.
    package var kind: LogProtocol
    /// The name of its file.
    package var name: String
    /// True for one of gzip(1).
    package var isCompressed: Bool

    /// Makes a log.
    package init(_ kind: LogProtocol, name: String, isCompressed: Bool = false) {
      self.kind = kind
      self.name = name
      self.isCompressed = isCompressed
    }
  }

  /// What was read so far.
  package struct Counts: Sendable, Hashable {
    /// Rows, also those that could not be used.
    package var rows = 0
    /// Lines that could not be used.
    package var broken = 0
    /// Directions that are in slices.
    package var records = 0
    /// Bytes of the logs, decompressed.
    package var bytes: Int64 = 0
  }

  /// What was read so far.
  package private(set) var counts = Counts()
  /// True when a log could not be read to its end although it may be later: the directory is not done.
  package private(set) var isIncomplete = false
  /// True when a log had rows, and none could be used.
  package private(set) var isUseless = false

  private let folder: OpenFile
  private let options: RowOptions
  private let json: FlowJSON
  private var pending: [Log]
  private var current: OpenLog?
  private var remarks: LogRemarks
  private var body: [UInt8] = []
  private var recordCount = 0
  private var place = (log: "", row: 0)
  private var first = (log: "", row: 0)
  private var number = 0
  private var waiting: [FlowRecord] = []

  private struct OpenLog: ~Copyable {
    let log: Log
    var lines: LogLines
    var rows: RowReader
    var usedRows = 0
    var brokenRows = 0
  }

  /// Reads `logs` of the open `folder`, whose path is for messages alone.
  package init(_ folder: consuming OpenFile, path: String, logs: [Log], options: RowOptions) {
    self.folder = folder
    self.options = options
    json = FlowJSON(options)
    pending = logs.reversed()
    remarks = LogRemarks(path: path)
  }

  /// The next slice; nil at the end.
  package mutating func next() -> Slice? {
    while true {
      while let record = waiting.popLast() {
        if let slice = add(record) { return slice }
      }
      guard current != nil || openNext() else {
        remarks.finish()
        return recordCount > 0 ? take() : nil
      }
      readLine()
    }
  }

  /// What is to be said of what was read since the last call; never more than a few lines for each directory.
  package mutating func takeRemarks() -> [String] { remarks.take() }

  private mutating func openNext() -> Bool {
    while let log = pending.popLast() {
      do throws(Errno) {
        let lines = try LogLines(
          OpenFile(log.name, in: folder), isCompressed: log.isCompressed)
        current = OpenLog(log: log, lines: lines, rows: RowReader(log.kind, options))
        return true
      } catch { fail(log, error) }
    }
    return false
  }

  private mutating func fail(_ log: Log, _ error: Errno) {
    isIncomplete = true
    remarks.add(
      "\(log.name) cannot be read (\(error)): see to it; the directory is tried again by the next run.")
  }

  private mutating func readLine() {
    guard var open = current.take() else { return }
    do throws(Errno) {
      guard let line = try open.lines.read() else {
        finish(open)
        return
      }
      switch line {
      case .tooLong: broken(&open, "a line of more than 256 KiB")
      case .text(let range):
        switch open.rows.read(open.lines.buffer, range) {
        case .nothing: break
        case .broken(let reason): broken(&open, reason)
        case .records(let records):
          counts.rows += 1
          open.usedRows += 1
          waiting = records.reversed()
          place = (open.log.name, open.lines.number)
        }
      }
      current = consume open
    } catch {
      counts.bytes += open.lines.byteCount
      fail(open.log, error)
    }
  }

  private mutating func broken(_ open: inout OpenLog, _ reason: String) {
    counts.rows += 1
    counts.broken += 1
    open.brokenRows += 1
    remarks.addBroken("\(open.log.name):\(open.lines.number): \(reason); the line is left out.")
  }

  private mutating func finish(_ open: borrowing OpenLog) {
    counts.bytes += open.lines.byteCount
    if open.brokenRows > 0, open.usedRows == 0 { isUseless = true }
    if let damage = open.lines.damage {
      counts.broken += 1
      remarks.add("\(open.log.name): \(damage); what comes before is used.")
    }
    if open.rows.hasAssumedColumns {
      remarks.add("\(open.log.name) has no header: its columns are taken for those of tstat 1.x.")
    }
    let absent = TCPKey.allCases.filter(open.rows.absentKeys.contains)
    if !absent.isEmpty {
      remarks.add(
        "\(open.log.name) has no columns for \(absent.map(\.rawValue).joined(separator: ", ")): these keys are left out. "
          + "Switch the sets of columns on in tstat's runtime.conf.")
    }
  }

  /// Appends a direction; returns the slice that it fills.
  private mutating func add(_ record: FlowRecord) -> Slice? {
    if recordCount == 0 { first = place }
    body.append(contentsOf: recordCount == 0 ? "[\n".utf8 : ",\n".utf8)
    json.append(record, to: &body)
    recordCount += 1
    return recordCount == Slice.mostRecords ? take() : nil
  }

  private mutating func take() -> Slice {
    body.append(contentsOf: "\n]".utf8)
    let slice = Slice(
      number: number, body: body, recordCount: recordCount, log: first.log, firstRow: first.row)
    counts.records += recordCount
    number += 1
    recordCount = 0
    body = []
    body.reserveCapacity(slice.body.count)
    return slice
  }
}

/// What is said of a directory's logs: a few lines are named, the rest is a count.
struct LogRemarks {
  private static let mostBroken = 10

  private let path: String
  private var lines: [String] = []
  private var broken = 0

  init(path: String) { self.path = path }

  mutating func add(_ text: String) { lines.append("\(path)/\(text)") }

  mutating func addBroken(_ text: String) {
    broken += 1
    if broken <= Self.mostBroken { add(text) }
  }

  /// After the last line.
  mutating func finish() {
    if broken > Self.mostBroken { lines.append("\(path): \(broken) lines are left out in all.") }
    broken = 0
  }

  mutating func take() -> [String] {
    defer { lines = [] }
    return lines
  }
}
