import Model

/// A process that was seen to have an end of a flow while the socket lived.
public struct EarlyOwner: Sendable {
  /// The flow.
  public var flow: FlowIdentity
  /// True for the end that sent the first packet.
  public var isClient: Bool
  /// Who has the socket.
  public var process: ProcessIdentity
  /// How sure that is.
  public var certainty: Certainty
  /// True when the socket itself has the end's address; one that is bound to none may have met a peer who uses the
  /// same port, and is this end's only if the address is one of this host's.
  public var hasAddress: Bool

  /// Makes one.
  public init(
    flow: FlowIdentity, isClient: Bool, process: ProcessIdentity, certainty: Certainty = Certainty(),
    hasAddress: Bool
  ) {
    self.flow = flow
    self.isClient = isClient
    self.process = process
    self.certainty = certainty
    self.hasAddress = hasAddress
  }
}
