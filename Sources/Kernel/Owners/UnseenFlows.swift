import Model

/// Flows that were made and not yet looked at. The newest comes first: its sockets most likely live, and who made it has
/// most likely made those before it. Bounded.
struct UnseenFlows {
  /// The most that wait.
  static let capacity = 4_096

  private var flows: [Flow] = []

  /// Whether none waits.
  var isEmpty: Bool { flows.isEmpty }

  /// Adds one that was made after all others.
  mutating func add(_ flow: Flow) { flows.append(flow) }

  /// Takes the oldest that there is no room for.
  mutating func takeSurplus() -> [Flow] {
    let surplus = Array(flows.prefix(max(0, flows.count - Self.capacity)))
    flows.removeFirst(surplus.count)
    return surplus
  }

  /// Takes the newest; nil when none waits.
  mutating func takeNewest() -> Flow? { flows.popLast() }
}
