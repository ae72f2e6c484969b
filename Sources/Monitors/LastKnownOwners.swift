import Model

/// Which process was last seen at each end of a flow, for the bytes that come after its socket is closed.
struct LastKnownOwners: Sendable {
  private struct Entry {
    var process: ProcessIdentity
    var certainty: Certainty
    // False until it is sure that the end is on this host.
    var isOurs: Bool
    // The lower half of the socket's inode; 0 when it is not known.
    var socket: UInt32
  }

  /// By the bits of the flow's key at the client's end, by their complement at the server's.
  private var owners: [UInt64: Entry] = [:]
  /// What those of them ran that were seen as their flow began.
  private var descriptions: [ProcessIdentity: ProcessDescription] = [:]
  /// With so many descriptions it is time to see which are still needed.
  private var sweepsAt = Self.fewest
  private static let fewest = 1_024

  /// How many ends of flows it knows the processes of.
  var count: Int { owners.count }

  /// The processes that it knows ends of.
  var processes: Set<ProcessIdentity> { Set(owners.values.lazy.map(\.process)) }

  /// Forgets all flows but these.
  mutating func keep(_ flows: Set<FlowKey>) {
    let ends = Set(flows.lazy.flatMap { [Self.end($0, .client), Self.end($0, .server)] })
    owners = owners.filter { ends.contains($0.key) }
  }

  /// Whose this end of `flow` was.
  func owner(of flow: FlowKey, _ role: FlowEnd.Role) -> Attribution.AttributedOwner? {
    owners[Self.end(flow, role)].map {
      Attribution.AttributedOwner(owner: .process($0.process), certainty: $0.certainty)
    }
  }

  /// True when this end of `flow` is known to be on this host.
  func isOurs(_ flow: FlowKey, _ role: FlowEnd.Role) -> Bool { owners[Self.end(flow, role)]?.isOurs ?? false }

  /// What a process ran when its flow began; nil when that was not seen.
  func description(of process: ProcessIdentity) -> ProcessDescription? { descriptions[process] }

  /// True when one of `sockets` is known to have had this end of `flow`.
  func wasEnd(_ sockets: [SocketEntry], of flow: FlowKey, _ role: FlowEnd.Role) -> Bool {
    guard let socket = owners[Self.end(flow, role)]?.socket, socket != 0 else { return false }
    return sockets.contains { UInt32(truncatingIfNeeded: $0.inode) == socket }
  }

  /// Takes whose this end of `flow` is now, and by which socket; with `isOurs` false, if it is on this host at all.
  mutating func remember(
    _ process: ProcessIdentity, _ certainty: Certainty, of flow: FlowKey, _ role: FlowEnd.Role,
    socket inode: UInt64 = 0, isOurs: Bool = true
  ) {
    owners[Self.end(flow, role)] = Entry(
      process: process, certainty: certainty, isOurs: isOurs, socket: UInt32(truncatingIfNeeded: inode))
  }

  /// Takes what processes run whose flows begin.
  mutating func describe(_ seen: [ProcessIdentity: ProcessDescription]) {
    descriptions.merge(seen) { _, later in later }
    guard descriptions.count >= sweepsAt else { return }
    let needed = processes
    // Whose flows begin now nobody has remembered yet.
    descriptions = descriptions.filter { needed.contains($0.key) || seen[$0.key] != nil }
    sweepsAt = max(Self.fewest, descriptions.count * 2)
  }

  /// Forgets flows that are no longer in the table.
  mutating func forget(_ gone: [FlowKey]) {
    for flow in gone {
      owners[Self.end(flow, .client)] = nil
      owners[Self.end(flow, .server)] = nil
    }
  }

  private static func end(_ flow: FlowKey, _ role: FlowEnd.Role) -> UInt64 {
    role == .client ? flow.bits : ~flow.bits
  }
}
