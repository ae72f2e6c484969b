public import Model

/// Turns what leaves a program into text.
public protocol Renderer {
  /// Returns `event` as complete lines, each ended by a line feed; empty when there is nothing to show.
  mutating func render(_ event: Event) -> String
}
