import Kernel
import Model
import Synchronization

/// The host that a pipe forwards to. Its addresses are looked up on a thread of its own, so that a slow resolver
/// delays nobody but those who wait for this name.
final class Target: Sendable {
  /// What is known of the addresses.
  enum Answer: Sendable, Equatable {
    /// Try these, in this order.
    case ready([Endpoint])
    /// They are being looked up.
    case pending
    /// There are none, and why.
    case failed(String)
  }

  /// How long addresses are used before they are looked up again, while the old ones stay in use.
  private static let freshness = Duration.seconds(30)
  /// How long a failure is an answer.
  private static let failureMemory = Duration.seconds(1)

  private struct State {
    var answer = Answer.pending
    var answered: ContinuousClock.Instant?
    var loop: Endpoint?
    var isWanted = true
    var isStopped = false
  }

  /// What it is called.
  let host: String
  /// Its port.
  let port: UInt16

  private let isFixed: Bool
  private let state: Mutex<State>
  private let waker: Waker
  private let hasAnswered: Waker
  private let loop: @Sendable ([Endpoint]) -> Endpoint?

  /// Prepares to look up `host`, which an address need not be. `loop` finds what leads back to the pipe.
  init(
    host: String, port: UInt16, loop: @escaping @Sendable ([Endpoint]) -> Endpoint?
  ) throws(KernelError) {
    self.host = host
    self.port = port
    self.loop = loop
    waker = try Waker()
    hasAnswered = try Waker()
    var state = State()
    let address = IPAddress(host)
    isFixed = address != nil
    if let address {
      state.answer = .ready([Endpoint(address: address, port: port)])
      state.loop = loop([Endpoint(address: address, port: port)])
      state.answered = .now
    }
    self.state = Mutex(state)
  }

  /// Starts to look up, now and whenever the addresses are wanted and no longer fresh; calls `notify` on another
  /// thread after each answer. An address needs no thread.
  func start(_ notify: @escaping @Sendable () -> Void) throws(KernelError) {
    if isFixed { return }
    try WorkerThread.start("resolver") { [self] in
      while waitUntilWanted() {
        let (answer, loop) = resolve()
        state.withLock { state in
          state.loop = loop
          // Old addresses are better than none.
          if case .failed = answer, case .ready = state.answer {} else { state.answer = answer }
          state.answered = .now
          state.isWanted = false
        }
        hasAnswered.wake()
        notify()
      }
    }
  }

  /// Ends the thread.
  func stop() {
    state.withLock { $0.isStopped = true }
    waker.wake()
  }

  /// What is known at `now`; asks for news where that is needed.
  func addresses(at now: ContinuousClock.Instant) -> Answer {
    if isFixed { return state.withLock(\.answer) }
    let (answer, isNews) = state.withLock { state -> (Answer, Bool) in
      guard let answered = state.answered else { return (.pending, false) }
      let age = now - answered
      if case .failed = state.answer, age >= Self.failureMemory {
        defer { state.isWanted = true }
        return (.pending, !state.isWanted)
      }
      guard age >= Self.freshness, !state.isWanted else { return (state.answer, false) }
      state.isWanted = true
      return (state.answer, true)
    }
    if isNews { waker.wake() }
    return answer
  }

  /// Asks for news although the addresses are fresh: none of them answered.
  func distrust() {
    let isNews = state.withLock { state in
      defer { state.isWanted = true }
      return !state.isWanted
    }
    if isNews && !isFixed { waker.wake() }
  }

  /// Puts `endpoint` first, because it answered where those before it did not.
  func prefer(_ endpoint: Endpoint) {
    state.withLock { state in
      guard case .ready(var endpoints) = state.answer, let index = endpoints.firstIndex(of: endpoint) else {
        return
      }
      endpoints.insert(endpoints.remove(at: index), at: 0)
      state.answer = .ready(endpoints)
    }
  }

  /// What leads back to the pipe, once there are addresses, or nil when there are none until `deadline`.
  func firstLoop(until deadline: ContinuousClock.Instant) -> Endpoint? {
    while true {
      let (isAnswered, loop) = state.withLock { ($0.answered != nil, $0.loop) }
      let left = deadline - .now
      if isAnswered || left <= .zero { return loop }
      hasAnswered.wait(timeout: left)
    }
  }

  private func waitUntilWanted() -> Bool {
    while true {
      let (isStopped, isWanted) = state.withLock { ($0.isStopped, $0.isWanted) }
      if isStopped { return false }
      if isWanted { return true }
      waker.wait()
    }
  }

  private func resolve() -> (answer: Answer, loop: Endpoint?) {
    do throws(NameResolution.Failure) {
      let endpoints = Dial.interleaved(try NameResolution.addresses(of: host))
        .map { Endpoint(address: $0, port: port) }
      if endpoints.isEmpty { return (.failed("it has no IPv4 or IPv6 address"), nil) }
      guard let loop = loop(endpoints) else { return (.ready(endpoints), nil) }
      return (.failed("\(loop) is where the pipe itself listens"), loop)
    } catch { return (.failed(error.description), nil) }
  }
}
