import SystemRuntime

/// One message of the proc connector (linux/connector.h, struct cn_msg; linux/cn_proc.h, struct proc_event).
package enum ProcConnectorMessage: Equatable {
  /// A process made another; both as process identifiers.
  case fork(parent: Int32, child: Int32)
  /// A process runs another program.
  case exec(Int32)
  /// The first thread of a process ended.
  case exit(Int32)
  /// The kernel's answer to a subscription: 0, or an error number.
  case acknowledged(UInt32)
  /// What does not matter here: threads, changes of user or name, messages of other senders.
  case other

  /// The number under which the connector sends events of processes (CN_IDX_PROC, CN_VAL_PROC).
  package static let identifier: UInt32 = 1

  private enum Offset {
    static let event = 20
    static let detail = event + 16
  }

  private enum Kind {
    static let acknowledgement: UInt32 = 0
    package static let fork: UInt32 = 1
    package static let exec: UInt32 = 2
    package static let exit: UInt32 = 0x8000_0000
  }

  /// Decodes what follows the netlink header; nil when it ends too early or claims what cannot be.
  package init?(_ payload: borrowing RawSpan) {
    guard let index = payload.load(0, as: UInt32.self), let value = payload.load(4, as: UInt32.self),
      let length = payload.load(16, as: UInt16.self).map(Int.init), payload.byteCount >= Offset.event + length
    else { return nil }
    guard index == Self.identifier, value == Self.identifier else {
      self = .other
      return
    }
    let message = payload.extracting(0..<Offset.event + length)
    guard let kind = message.load(Offset.event, as: UInt32.self) else { return nil }
    func process(_ field: Int) -> Int32? { message.load(Offset.detail + 4 * field, as: Int32.self) }
    switch kind {
    case Kind.acknowledgement:
      guard let error = message.load(Offset.detail, as: UInt32.self) else { return nil }
      self = .acknowledged(error)
    case Kind.fork:
      guard let parent = process(1), let thread = process(2), let child = process(3) else { return nil }
      guard parent >= 0, child > 0 else { return nil }
      self = thread == child ? .fork(parent: parent, child: child) : .other
    case Kind.exec:
      guard let child = process(1), child > 0 else { return nil }
      self = .exec(child)
    case Kind.exit:
      guard let thread = process(0), let child = process(1), child > 0 else { return nil }
      self = thread == child ? .exit(child) : .other
    default: self = .other
    }
  }
}
