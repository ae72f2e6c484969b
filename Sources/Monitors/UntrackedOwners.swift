import Model
import Netfilter
import Ownership
import SystemRuntime

/// What the interfaces moved beside the flows, and who moved it.
struct UntrackedOwners: ~Copyable {
  /// Nil where the interfaces are not asked.
  var meter: InterfaceMeter?
  private var senders = FrameSenders()
  /// Times that the interfaces could not be read.
  private var unread: UInt64 = 0

  /// Compares with these interfaces.
  init(_ table: InterfaceTable?) { meter = table.map { InterfaceMeter($0) } }

  /// The interfaces as they were read last.
  var interfaces: [Interface] {
    switch meter {
    case .some(let meter): meter.latest
    case .none: []
    }
  }
  /// Why they could not be read; nil when they could.
  var failure: KernelError? {
    switch meter {
    case .some(let meter): meter.failure
    case .none: nil
    }
  }

  /// Reads the interfaces; who sent frames is only supposed where `used` does not report it.
  mutating func read(at now: Instant, _ used: UsedSockets) {
    if meter?.update(at: now, seesFrames: used.seesFrames) == false { unread += 1 }
  }

  /// Returns what the interfaces moved since the last call; `carried` is what they moved of the flows.
  mutating func compare(
    with carried: Usage, areCounted: Bool, at now: Instant
  ) -> InterfaceMeter.Comparison? {
    meter?.compare(flows: carried, areCounted: areCounted, at: now)
  }

  /// Who sent how much of what no flow explains: as `used` reports, else as `holders` of packet sockets let suppose. What
  /// was sent before the first reading the interfaces are not asked for.
  mutating func shares(
    of comparison: InterfaceMeter.Comparison, _ used: UsedSockets, isFirst: Bool,
    at now: Instant, holders: (Set<UInt64>) -> [UInt64: [ProcessIdentity]]
  ) -> [FrameSenders.Share] {
    if used.seesFrames {
      if !isFirst { senders.add(used.report.frames, describedBy: used.report.descriptions, at: now) }
      return senders.divide(comparison.untracked.sent, at: now)
    }
    guard let (bytes, sockets) = comparison.sent,
      let owner = PacketSenders.owner(of: sockets, holders: holders(sockets))
    else { return [] }
    return [FrameSenders.Share(process: owner, bytes: bytes)]
  }

  /// Adds what could not be read or did not fit, since start.
  func add(to health: inout Health) {
    health.dropped += senders.dropped
    health.failedReads += unread
    switch meter {
    case .some(let meter):
      health.malformed += meter.malformed
      health.dropped += meter.dropped
    case .none: break
    }
  }
}
