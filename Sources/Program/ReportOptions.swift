import ArgumentParser
import Kernel
import Output

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

  /// Seconds between two reports.
  @Option(help: ArgumentHelp("Seconds between two reports.", valueName: "seconds"))
  public var interval: Double = 1

  /// How many reports to write; absent for no end.
  @Option(help: ArgumentHelp("Write this many reports, then exit.", valueName: "n"))
  public var count: Int?

  /// How to write them.
  @Option(
    help: ArgumentHelp(
      "How to write reports: plain, table or json. (default: table on a terminal, plain elsewhere)"))
  public var format: Format?

  /// For ArgumentParser.
  public init() {}

  /// Refuses values that make no sense.
  public mutating func validate() throws {
    guard interval >= 0.01, interval <= 86_400 else {
      throw ValidationError("--interval must be between 0.01 and 86400 seconds.")
    }
    if let count, count < 1 { throw ValidationError("--count must be at least 1.") }
  }

  /// The time between two reports.
  public var period: Duration { .seconds(interval) }
}
