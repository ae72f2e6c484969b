import Kernel
import Synchronization

/// What other threads tell a worker.
final class Mailbox: Sendable {
  /// A piece of news.
  enum Message: Sendable {
    /// Accept for this pipe.
    case open(Pipe)
    /// Stop accepting for this pipe and cut its connections.
    case close(Pipe)
    /// The addresses of this pipe's target were looked up.
    case resolved(Pipe)
    /// Stop accepting for every pipe.
    case drain
    /// Cut everything and end.
    case stop
  }

  /// Wakes the worker.
  let waker: Waker

  private let messages = Mutex<[Message]>([])

  init() throws(KernelError) { waker = try Waker() }

  /// Leaves a message.
  func post(_ message: Message) {
    messages.withLock { $0.append(message) }
    waker.wake()
  }

  /// Takes all messages, the oldest first.
  func take() -> [Message] {
    waker.reset()
    return messages.withLock { messages in
      defer { messages = [] }
      return messages
    }
  }
}
