import ArgumentParser
import Kernel
public import Model
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

  /// What is to be counted: how many reports, or which bytes.
  public enum Count: ExpressibleByArgument, Sendable {
    /// So many reports.
    case reports(Int)
    /// The bytes of a layer.
    case layer(Layer)

    /// For ArgumentParser.
    public init?(argument: String) {
      if let layer = Layer(rawValue: argument) {
        self = .layer(layer)
      } else if let number = Int(argument) {
        self = .reports(number)
      } else {
        return nil
      }
    }
  }

  /// What to count; each kind at most once.
  @Option(
    help: ArgumentHelp(
      "A number: write this many reports, then exit. l3 or payload: count the bytes of IP packets with their headers, or without (exact for UDP, within 1 % for TCP in bulk).",
      valueName: "n|l3|payload"))
  var count: [Count] = []

  /// How many reports to write; nil for no end.
  public var reports: Int? {
    for case .reports(let number) in count { return number }
    return nil
  }

  /// Which bytes to count; nil where that is not said.
  public var layer: Layer? {
    for case .layer(let layer) in count { return layer }
    return nil
  }

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
    if let reports, reports < 1 { throw ValidationError("--count must be at least 1.") }
    if count.count > (reports == nil ? 0 : 1) + (layer == nil ? 0 : 1) {
      throw ValidationError("--count takes one number of reports, and one of l3 and payload.")
    }
  }

  /// The time between two reports.
  public var period: Duration { .seconds(interval) }
}
