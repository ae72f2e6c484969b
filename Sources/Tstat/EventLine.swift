public import Model

/// A line of the original tstat_send and tstat_cull on standard error.
///
/// `ts=2024-01-01 00:00:00,000 event=main.run id=1700000000 removing /data/2024_01_01_00_00.out`
public struct EventLine: Sendable, Hashable, CustomStringConvertible {
  /// When; it is shown in local time, with milliseconds.
  public var time: Timestamp
  /// Which part of the program speaks, such as `main.run`.
  public var event: String
  /// What the lines of one run have in common: the second in which it began.
  public var run: Int64
  /// What it says.
  public var text: String

  /// Makes a line.
  public init(time: Timestamp, event: String, run: Int64, text: String) {
    self.time = time
    self.event = event
    self.run = run
    self.text = text
  }

  /// The line without its end; control characters, as in hostile names, are escaped.
  public var description: String {
    let milliseconds = String(max(0, time.nanoseconds / 1_000_000))
    let fraction = String(repeating: "0", count: max(0, 3 - milliseconds.count)) + milliseconds
    return "ts=\(time.local),\(fraction) event=\(event) id=\(run) \(text.escapingControlCharacters)"
  }
}
