public import Model

/// Turns what leaves a program into text.
public protocol Renderer {
  /// Appends `event` to `output` as complete lines of UTF-8, each ended by a line feed; nothing when there is nothing
  /// to show. Bytes, as a report of thousands of rows is better not copied.
  mutating func render(_ event: Event, to output: inout [UInt8])
}
