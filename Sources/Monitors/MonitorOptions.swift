public import Model

/// What a monitor counts and shows.
public struct MonitorOptions: Sendable {
  /// What any of them shows is shown.
  public var filters: [MonitorFilter]
  /// Which bytes are counted.
  public var layer: Layer
  /// Whether the first measurement holds what the table's flows had moved before; otherwise it is empty.
  public var countsLookback: Bool
  /// Whether processes come with the command lines of their ancestors.
  public var wantsAncestors: Bool
  /// The process whose bytes are counted and not shown.
  public var hidden: Int32?

  /// Makes options.
  public init(
    filters: [MonitorFilter], layer: Layer = .l3, countsLookback: Bool = true, wantsAncestors: Bool = false,
    hiding hidden: Int32? = nil
  ) {
    self.filters = filters
    self.layer = layer
    self.countsLookback = countsLookback
    self.wantsAncestors = wantsAncestors
    self.hidden = hidden
  }
}
