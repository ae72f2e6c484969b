import Model
import SystemRuntime
import Tstat

/// A line on the terminal that says how far a run is; it is painted over itself.
struct ProgressMeter {
  /// The shortest time between two of them.
  static let interval = Duration.milliseconds(250)

  private let start: Instant
  private var shown: Instant?
  private var directoryCount = 0
  private var byteCount: Int64 = 0

  init(start: Instant) { self.start = start }

  /// So much is to be sent.
  mutating func begin(directories: Int, bytes: Int64) {
    directoryCount = directories
    byteCount = bytes
  }

  func clear() { if shown != nil { StandardError.write("\r\u{1b}[K") } }

  mutating func show(
    _ counts: LogSlices.Counts, directories: Int, acknowledged: Int, at now: Instant
  ) {
    if let shown, now - shown < Self.interval { return }
    shown = now
    StandardError.write(
      "\r\(text(counts, directories: directories, acknowledged: acknowledged, at: now))\u{1b}[K")
  }

  /// The line; the time left is an estimate from the bytes of the logs, which are fewer where they are compressed.
  func text(
    _ counts: LogSlices.Counts, directories: Int, acknowledged: Int, at now: Instant
  ) -> String {
    let seconds = max((now - start).inSeconds, 0.001)
    var text =
      "\(directories)/\(directoryCount) directories, \(counts.rows) rows, \(counts.bytes >> 20) MiB, "
      + "\(acknowledged) messages confirmed, \(Int(Double(counts.rows) / seconds)) rows/s"
    if counts.bytes > 0, counts.bytes < byteCount {
      let left = Int(seconds / Double(counts.bytes) * Double(byteCount - counts.bytes))
      let rest = left % 60
      text += ", \(left / 60):\(rest < 10 ? "0" : "")\(rest) left"
    }
    return text
  }
}
