import Model

/// A process that was seen to have an end of a flow while the socket lived.
public struct Sighting: Sendable {
  /// The flow.
  public var flow: FlowIdentity
  /// True for the end that sent the first packet.
  public var isClient: Bool
  /// Who has the socket.
  public var process: ProcessIdentity
  /// True if another process holds the socket as well.
  public var isShared: Bool

  /// Makes a sighting.
  public init(flow: FlowIdentity, isClient: Bool, process: ProcessIdentity, isShared: Bool) {
    self.flow = flow
    self.isClient = isClient
    self.process = process
    self.isShared = isShared
  }
}
