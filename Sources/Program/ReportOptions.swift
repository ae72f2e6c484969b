import ArgumentParser
import Output
import SystemRuntime

/// The flags that every program of ours has.
public struct ReportOptions: ParsableArguments {
  /// How events are written.
  public enum Format: String, ExpressibleByArgument, CaseIterable, Sendable {
    /// The predecessor's lines.
    case plain
    /// A table for people.
    case table
    /// One JSON object a line.
    case json
  }

  /// The time between two reports.
  @Option(
    help: ArgumentHelp("The time between two reports, such as 5, 0.5, 500ms or 1m.", valueName: "seconds"))
  public var interval = DurationArgument.seconds(1)

  /// How many reports to write; nil for no end.
  @Option(help: ArgumentHelp("Write this many reports, then exit.", valueName: "n"))
  public var count: Int?

  /// How to write them.
  @Option(
    help: ArgumentHelp(
      "How to write reports: plain, table or json. (default: table on a terminal, plain elsewhere)"))
  public var format: Format?

  /// Whether the table has whole command lines.
  @Flag(
    help:
      "With --format table: whole command lines, with the path of the program and the interpreter of a script."
  )
  public var full = false

  /// Whether rows that have ended stay in the reports.
  @Flag(
    help:
      "With --format json: keep the rows of processes, applications and clients that have ended in all later reports, not only in the sum \"ended\"."
  )
  public var allRows = false

  /// For ArgumentParser.
  public init() {}

  /// Refuses values that make no sense.
  public mutating func validate() throws {
    try interval.validate("--interval", in: 0.01...86_400)
    if let count, count < 1 { throw ValidationError("--count must be at least 1.") }
  }

  /// The time between two reports.
  public var period: Duration { interval.duration }
}
