import Model
import Synchronization
import SystemRuntime

/// What other threads send to a worker.
final class Mailbox: Sendable {
  /// A message.
  enum Message: Sendable {
    /// Accept for this pipe.
    case open(Pipe)
    /// Stop accepting for this pipe and cut its connections.
    case close(Pipe)
    /// The addresses of this pipe's target were looked up.
    case resolved(Pipe)
    /// Stop accepting for every pipe.
    case drain
    /// Take over a connection that another worker has accepted; its place is counted already.
    case adopt(Pipe, StreamEnd, source: Endpoint)
    /// Cut everything and end.
    case stop
  }

  /// Wakes the worker.
  let waker: Waker

  private let connectionCount = Atomic<Int>(0)
  private let state = Mutex(State())

  private struct State {
    var messages: [Message] = []
    var isClosed = false
  }

  init() throws(KernelError) { waker = try Waker() }

  /// How many connections the worker has, or is about to get.
  var load: Int { connectionCount.load(ordering: .relaxed) }

  /// Counts a connection that the worker gets or, with -1, has no more.
  func addLoad(_ change: Int) { connectionCount.wrappingAdd(change, ordering: .relaxed) }

  /// Leaves a message; false when the worker has ended and nobody will read it.
  @discardableResult
  func post(_ message: Message) -> Bool {
    let isTaken = state.withLock { state in
      if !state.isClosed { state.messages.append(message) }
      return !state.isClosed
    }
    if isTaken { waker.wake() }
    return isTaken
  }

  /// Takes all messages, the oldest first.
  func take() -> [Message] {
    waker.reset()
    return state.withLock { state in
      defer { state.messages = [] }
      return state.messages
    }
  }

  /// Takes no messages any more; returns those that nobody has read.
  func close() -> [Message] {
    state.withLock { state in
      state.isClosed = true
      defer { state.messages = [] }
      return state.messages
    }
  }
}
