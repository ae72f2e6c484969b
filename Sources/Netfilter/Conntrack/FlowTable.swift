public import Model
import SystemRuntime

/// Netfilter's connection table.
public protocol FlowTable: AnyObject {
  /// Replaces `snapshot` by all entries of the table, of every family and protocol, and those that have ended since
  /// the last call, where the kernel reports them. `now` is when this is asked.
  func read(into snapshot: inout FlowSnapshot, at now: Instant) throws(KernelError)

  /// What did not go as it should, since start.
  var condition: FlowTableCondition { get }

  /// Has the owners of new flows looked up from now on, where that can be done.
  func lookUpOwners()
}

extension FlowTable {
  /// Does nothing.
  public func lookUpOwners() {}
}

/// A table without entries, where the kernel has none.
public final class NoFlowTable: FlowTable {
  /// Nothing goes wrong.
  public let condition = FlowTableCondition()

  /// Makes it.
  public init() {}

  /// Empties `snapshot`.
  public func read(into snapshot: inout FlowSnapshot, at now: Instant) {
    snapshot = FlowSnapshot()
  }
}

/// What did not go as it should in reading the connection table, since start.
public struct FlowTableCondition: Sendable, Hashable {
  /// Messages, attributes or lines that could not be understood.
  public var malformed: UInt64 = 0
  /// Readings that had to be repeated because the table changed under them.
  public var interrupted: UInt64 = 0
  /// Events, also of processes, that the kernel could not deliver, or that an audit found missing, and readings for
  /// which there was more to receive than time.
  public var missedEvents: UInt64 = 0
  /// Ends of flows that were not looked at, or not to the end, and what was forgotten, for want of room or time.
  public var unseen: UInt64 = 0
  /// Processes that may not be read, as last tried for a new flow.
  public var denied = 0

  /// True where the kernel reports which entries end.
  public var hasEndEvents = false
  /// Why the kernel's events are not received at present, though it has them; nil while they are.
  public var eventFailure: KernelError?

  /// Makes the condition of a table that was not read yet.
  public init() {}
}
