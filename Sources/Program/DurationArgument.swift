public import ArgumentParser
import INI
import Model

/// A length of time on a command line: `10`, `0.5`, `10s`, `500ms`, `5m`, `1h`.
public struct DurationArgument: ExpressibleByArgument, CustomStringConvertible, Sendable {
  /// The length.
  public var duration: Duration

  /// Makes one of so many seconds, for a flag's default.
  public static func seconds(_ seconds: Int) -> DurationArgument {
    DurationArgument(duration: .seconds(seconds))
  }

  private init(duration: Duration) { self.duration = duration }

  /// For ArgumentParser.
  public init?(argument: String) {
    guard let duration = DurationText.duration(argument) else { return nil }
    self.duration = duration
  }

  /// In seconds, as it may be written.
  public var description: String { Self.short(duration.inSeconds) }

  /// Refuses a length outside `range`; `flag` is what was given.
  public func validate(_ flag: String, in range: ClosedRange<Double>) throws {
    guard range.contains(duration.inSeconds) else {
      throw ValidationError(
        "\(flag) must be between \(Self.short(range.lowerBound)) and \(Self.short(range.upperBound)) seconds."
      )
    }
  }

  private static func short(_ number: Double) -> String {
    let text = String(number)
    return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
  }
}
