import CCurl
import Synchronization

/// What callers and the thread of transfers share: what waits, what is to be cancelled, and the end.
///
/// Safe to use: the pointer is libcurl's loop, made and freed here. Callers only wake it, which any thread may
/// (curl_multi_wakeup(3)); all else is done by the one thread that runs it.
@safe final class TransferQueue: Sendable {
  /// A transfer that was submitted.
  struct Entry: Sendable {
    let number: UInt64
    let transfer: TransferRequest
    let completion: @Sendable (TransferOutcome) -> Void
  }

  /// What there is to do for the thread.
  struct Work: Sendable {
    var begun: [Entry]
    /// Those that never began.
    var withdrawn: [Entry]
    /// Numbers of transfers that run.
    var cancelled: [UInt64]
    /// Mails that have ended on their threads, and libcurl's code.
    var mails: [(number: UInt64, code: CInt)]
    var isStopped: Bool
  }

  private struct State {
    var last: UInt64 = 0
    var waiting: [Entry] = []
    var running: Set<UInt64> = []
    var withdrawn: [Entry] = []
    var cancelled: Set<UInt64> = []
    var mails: [(number: UInt64, code: CInt)] = []
    var isStopped = false
  }

  nonisolated(unsafe) let loop: OpaquePointer
  private let state = Mutex(State())
  private let capacity: Int

  init(capacity: Int) throws(CurlError) {
    guard let loop = unsafe ccurl_loop_create() else { throw .noThread("there is no memory.") }
    unsafe self.loop = loop
    self.capacity = capacity
  }

  deinit { unsafe ccurl_loop_free(loop) }

  func submit(
    _ transfer: TransferRequest, _ completion: @escaping @Sendable (TransferOutcome) -> Void
  ) throws(CurlError) -> TransferID {
    let result: Result<TransferID, CurlError> = state.withLock { state in
      if state.isStopped { return .failure(.stopped) }
      if state.waiting.count >= capacity { return .failure(.full(waiting: state.waiting.count)) }
      state.last += 1
      state.waiting.append(Entry(number: state.last, transfer: transfer, completion: completion))
      return .success(TransferID(number: state.last))
    }
    wake()
    return try result.get()
  }

  func cancel(_ id: TransferID) {
    state.withLock { state in
      if let index = state.waiting.firstIndex(where: { $0.number == id.number }) {
        state.withdrawn.append(state.waiting.remove(at: index))
      } else if state.running.contains(id.number) {
        state.cancelled.insert(id.number)
      }
    }
    wake()
  }

  func stop() {
    state.withLock { $0.isStopped = true }
    wake()
  }

  /// Takes what is to be done, at most `room` new transfers.
  func take(room: Int) -> Work {
    state.withLock { state in
      if state.isStopped {
        state.withdrawn += state.waiting
        state.waiting = []
      }
      let begun = state.isStopped ? [] : Array(state.waiting.prefix(max(0, room)))
      state.waiting.removeFirst(begun.count)
      state.running.formUnion(begun.map(\.number))
      defer { (state.withdrawn, state.cancelled, state.mails) = ([], [], []) }
      return Work(
        begun: begun, withdrawn: state.withdrawn, cancelled: state.cancelled.sorted(),
        mails: state.mails, isStopped: state.isStopped)
    }
  }

  /// Takes note that a mail has ended on its thread.
  func endMail(_ number: UInt64, code: CInt) {
    state.withLock { $0.mails.append((number, code)) }
    wake()
  }

  /// True when a transfer waits for a place.
  var hasWaiting: Bool { state.withLock { !$0.waiting.isEmpty } }

  /// Forgets a transfer that has ended.
  func end(_ number: UInt64) {
    state.withLock { state in
      state.running.remove(number)
      state.cancelled.remove(number)
    }
  }

  private func wake() { unsafe ccurl_loop_wake(loop) }
}
