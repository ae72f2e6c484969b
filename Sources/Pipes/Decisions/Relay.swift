import Kernel

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
    /// Tell the receiver that nothing more comes.
    case finish
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
  /// The receiver was told.
  private(set) var isFinished = false
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
    if hasEnded { return .finish }
    return mayRead && mayWrite ? .fill : .wait
  }

  /// The sender waits for the receiver: that it has still more to say is no news.
  var isHeldUp: Bool { mayRead && !mayWrite && !isFinished }

  /// The sender has something, or has ended.
  mutating func becameReadable(endIsNear: Bool) {
    mayRead = true
    if endIsNear { self.endIsNear = true }
  }

  /// The receiver has room.
  mutating func becameWritable() { mayWrite = true }

  /// `bytes` were taken. With `isAll` a socket gave less than was asked for, so it has no more at this moment: of a
  /// copy that is sure (epoll(7), question 9), of a splice never.
  mutating func took(_ bytes: Int, isAll: Bool) {
    pending += bytes
    if isAll && !endIsNear { mayRead = false }
  }

  /// There was nothing to take.
  mutating func foundNothing() { mayRead = false }

  /// The sender's end was seen.
  mutating func foundEnd() { hasEnded = true }

  /// `bytes` were delivered. Less than all means that the receiver is full (epoll(7), question 9); this holds for
  /// splice(2) too, which goes on until the socket takes nothing.
  mutating func delivered(_ bytes: Int) {
    pending -= min(bytes, pending)
    if pending > 0 { mayWrite = false }
  }

  /// The receiver took nothing.
  mutating func foundReceiverFull() { mayWrite = false }

  /// The receiver was told of the end.
  mutating func finished() { isFinished = true }
}
