import SystemPackage
import SystemRuntime

/// The slices of a log directory: the rows of its TCP log, then those of its UDP log, as one list that is cut at a hundred.
public struct LogSlices: ~Copyable {
  /// What was read so far.
  public struct Counts: Sendable, Hashable {
    /// Rows, also those that could not be used.
    public var rows = 0
    /// Lines that could not be used.
    public var broken = 0
    /// Directions that are in slices.
    public var records = 0
    /// Bytes of the logs, decompressed.
    public var bytes: Int64 = 0

    /// Nothing was read yet.
    public init() {}

    /// Adds what was read of another directory.
    public mutating func add(_ other: Counts) {
      rows += other.rows
      broken += other.broken
      records += other.records
      bytes += other.bytes
    }
  }

  /// What was read so far.
  public private(set) var counts = Counts()
  /// How many slices there were so far, with those that were skipped.
  public private(set) var sliceCount = 0
  /// True when a log could not be read to its end although it may be later. What comes after it is not read: with its rows it
  /// makes other slices.
  public private(set) var isIncomplete = false
  /// True when a log had several rows, and none could be used: another version of this program may know them.
  public private(set) var isUseless = false
  /// True when a compressed log is cut or damaged. What comes before is read, and so are other logs.
  public private(set) var isDamaged = false

  private let directory: OpenLogDirectory
  private let options: RowOptions
  private let json: FlowJSON
  private var pending: [LogFile]
  private var current: OpenLog?
  private var remarks: LogRemarks
  private var body = ByteBuffer(capacity: 256 << 10)
  private var recordCount = 0
  private var place = (log: "", row: 0)
  private var first = (log: "", row: 0)
  private let skipped: Int
  private let exceptions: Set<Int>
  private var finishedBytes: Int64 = 0
  private var waiting: [FlowRecord] = []

  private struct OpenLog: ~Copyable {
    let log: LogFile
    var lines: LogLines
    var rows: RowReader
    var usedRows = 0
    var brokenRows = 0
    var isAssumptionSaid = false
  }

  /// Reads `logs` of the open `directory`, without the first `skipped` slices but for these `exceptions`.
  public init(
    _ directory: OpenLogDirectory, logs: [LogFile], options: RowOptions, skipping skipped: Int = 0,
    but exceptions: Set<Int> = []
  ) {
    self.skipped = skipped
    self.exceptions = exceptions
    self.directory = directory
    self.options = options
    json = FlowJSON(options)
    pending = logs.reversed()
    remarks = LogRemarks(path: directory.directory.path)
  }

  /// The next slice; nil at the end.
  public mutating func next() -> Slice? {
    while true {
      while let record = waiting.popLast() {
        if let slice = add(record), isWanted(slice) { return slice }
      }
      guard current != nil || openNext() else {
        remarks.finish()
        guard recordCount > 0, case let slice = take(), isWanted(slice) else { return nil }
        return slice
      }
      readLine()
    }
  }

  private func isWanted(_ slice: Slice) -> Bool {
    slice.number >= skipped || exceptions.contains(slice.number)
  }

  /// What is to be said of what was read since the last call; never more than a few lines for each directory.
  public mutating func takeRemarks() -> [String] { remarks.take() }

  private mutating func openNext() -> Bool {
    while let log = pending.popLast() {
      do throws(LogDirectoryError) {
        current = OpenLog(log: log, lines: try lines(of: log), rows: RowReader(log.kind, options))
        return true
      } catch { fail(error) }
    }
    return false
  }

  private func lines(of log: LogFile) throws(LogDirectoryError) -> LogLines {
    let file = try directory.open(log)
    do throws(Errno) { return try LogLines(file, isCompressed: log.isCompressed) } catch {
      throw unreadable(log, error)
    }
  }

  private func unreadable(_ log: LogFile, _ error: Errno) -> LogDirectoryError {
    .unreadable(path: path(of: log), error)
  }

  private func path(of log: LogFile) -> String {
    LogDirectory.path(of: log.name, in: directory.directory.path)
  }

  private mutating func fail(_ error: LogDirectoryError) {
    isIncomplete = true
    pending = []
    waiting = []
    recordCount = 0
    _ = body.take()
    remarks.add("\(error) The next run takes the directory again.")
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
        let outcome = open.rows.read(open.lines.buffer, range)
        sayAssumption(&open)
        switch outcome {
        case .nothing: break
        case .broken(let reason): broken(&open, reason)
        case .records(let records):
          counts.rows += 1
          open.usedRows += 1
          waiting = records.reversed()
          place = (open.log.name, open.lines.number)
        }
      }
      counts.bytes = finishedBytes + open.lines.byteCount
      current = consume open
    } catch {
      finishedBytes += open.lines.byteCount
      fail(unreadable(open.log, error))
    }
  }

  private mutating func sayAssumption(_ open: inout OpenLog) {
    guard open.rows.hasAssumedColumns, !open.isAssumptionSaid else { return }
    open.isAssumptionSaid = true
    remarks.add(
      "\(path(of: open.log)) has no header: its columns are taken for those of tstat 1.x. Later versions write one; it may be cut off."
    )
  }

  private mutating func broken(_ open: inout OpenLog, _ reason: String) {
    counts.rows += 1
    counts.broken += 1
    open.brokenRows += 1
    remarks.addBroken("\(path(of: open.log)):\(open.lines.number): \(reason); the line is left out.")
  }

  private mutating func finish(_ open: borrowing OpenLog) {
    finishedBytes += open.lines.byteCount
    counts.bytes = finishedBytes
    if open.brokenRows > 1, open.usedRows == 0 { isUseless = true }
    if let damage = open.lines.damage {
      counts.broken += 1
      isDamaged = true
      remarks.add(
        "\(path(of: open.log)): \(damage); what comes before is used, and the directory is not marked: put a whole file in its"
          + " place, or remove it.")
    }
    let absent = TCPKey.allCases.filter(open.rows.absentKeys.contains)
    if !absent.isEmpty {
      remarks.add(
        "\(path(of: open.log)) has no columns for \(absent.map(\.rawValue).joined(separator: ", ")): these keys are left out. "
          + "Switch the sets of columns on in tstat's runtime.conf.")
    }
  }

  /// Appends a direction; returns the slice that it fills.
  private mutating func add(_ record: FlowRecord) -> Slice? {
    if recordCount == 0 { first = place }
    body.append(recordCount == 0 ? "[\n" : ",\n")
    json.append(record, to: &body)
    recordCount += 1
    return recordCount == Slice.mostRecords ? take() : nil
  }

  private mutating func take() -> Slice {
    body.append("\n]")
    let slice = Slice(
      number: sliceCount, body: body.take(), recordCount: recordCount, log: first.log, firstRow: first.row)
    counts.records += recordCount
    sliceCount += 1
    recordCount = 0
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

  mutating func add(_ text: String) { lines.append(text) }

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
