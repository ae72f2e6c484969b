import SystemRuntime

/// One direction of a connection: what is to be done next to move its bytes. Does no I/O.
///
/// Something new is taken only when everything before it was delivered and the receiver takes more. So the kernel's
/// buffers alone push back on a fast sender, and EAGAIN of splice(2), which means "nothing to take" or "the pipe is
/// full", can only mean the first while filling (the pipe is empty) and "the receiver is full" while draining.
struct Relay: Sendable, Equatable {
  /// What is to be done.
  enum Step: Sendable, Equatable {
    /// Take from the sender.
    case fill
    /// Deliver what was taken.
    case drain
    /// Notify the receiver that nothing more comes.
    case finish
    /// Notify the receiver that the sender has failed, once it has all that came before.
    case breakOff
    /// Nothing until something becomes ready.
    case wait
    /// Nothing ever again.
    case done
  }

  /// The sender may have something.
  private(set) var mayRead: Bool
  /// The receiver may take something.
  private(set) var mayWrite: Bool
  /// Bytes that were taken and not delivered.
  private(set) var pending = 0
  /// The sender has said that nothing more comes, and nothing more is there.
  private(set) var hasEnded = false
  /// The receiver was notified, or is no more.
  private(set) var isFinished = false
  /// The sender has failed: what it sent before can still be taken.
  private(set) var senderHasFailed = false
  /// The sender has sent urgent data: from then on a socket may give less than it has, and splice(2) nothing.
  private(set) var hasMark = false
  // An end that came with the bytes makes no other event.
  private var endIsNear: Bool

  /// Starts with what is known of both ends.
  init(mayRead: Bool = false, endIsNear: Bool = false, mayWrite: Bool = true) {
    self.mayRead = mayRead || endIsNear
    self.endIsNear = endIsNear
    self.mayWrite = mayWrite
  }

  /// What is to be done now.
  var next: Step {
    if isFinished { return .done }
    if pending > 0 { return mayWrite ? .drain : .wait }
    if hasEnded { return senderHasFailed ? .breakOff : .finish }
    return mayRead && mayWrite ? .fill : .wait
  }

  /// Nothing more is to be moved.
  var isOver: Bool { next == .done || next == .breakOff }

  /// The sender waits for the receiver: that it has still more to say is nothing new.
  var isHeldUp: Bool { mayRead && !mayWrite && !isFinished }

  /// The sender has something, or has ended.
  mutating func becameReadable(endIsNear: Bool) {
    mayRead = true
    if endIsNear { self.endIsNear = true }
  }

  /// The receiver has room.
  mutating func becameWritable() { mayWrite = true }

  /// `bytes` were taken. With `isAll` a socket gave less than was asked for, so it has no more at this moment: of a
  /// copy that is sure (epoll(7), question 9) as long as there is no urgent data, at which recv(2) stops; of a splice
  /// never.
  mutating func took(_ bytes: Int, isAll: Bool) {
    pending += bytes
    if isAll && !endIsNear && !hasMark { mayRead = false }
  }

  /// There was nothing to take.
  mutating func foundNothing() { mayRead = false }

  /// The sender's end was seen.
  mutating func foundEnd() { hasEnded = true }

  /// `bytes` were delivered. When a copy delivers less than all, the receiver is full (epoll(7), question 9);
  /// splice(2) stops at a signal as well, so that with it only EAGAIN shows this.
  mutating func delivered(_ bytes: Int, isCopied: Bool) {
    pending -= min(bytes, pending)
    if pending > 0 && isCopied { mayWrite = false }
  }

  /// The receiver took nothing.
  mutating func foundReceiverFull() { mayWrite = false }

  /// The receiver was notified of the end.
  mutating func finished() { isFinished = true }

  /// The sender has failed; what it had sent is still there to be taken.
  mutating func senderFailed() {
    senderHasFailed = true
    becameReadable(endIsNear: true)
  }

  /// The receiver has failed: nothing more is for it.
  mutating func receiverFailed() {
    pending = 0
    isFinished = true
  }

  /// The sender has sent urgent data.
  mutating func foundMark() { hasMark = true }
}
