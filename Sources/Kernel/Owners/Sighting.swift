import Model

/// A process that was seen to have an end of a flow while the socket lived.
public struct Sighting: Sendable {
  /// The flow, by its identifier, zone and tuples; its counters mean nothing.
  public var flow: Flow
  /// True for the end that sent the first packet.
  public var isClient: Bool
  /// Who has the socket.
  public var process: ProcessIdentity
  /// What it ran, known also when it has ended since.
  public var description: ProcessDescription?
  /// True if another process holds the socket as well.
  public var isShared: Bool

  /// Makes a sighting.
  public init(
    flow: Flow, isClient: Bool, process: ProcessIdentity, description: ProcessDescription?, isShared: Bool
  ) {
    self.flow = flow
    self.isClient = isClient
    self.process = process
    self.description = description
    self.isShared = isShared
  }
}
