import Model
import Synchronization
import SystemRuntime

/// The host that a pipe forwards to. Its addresses are looked up on a thread of its own, so that a slow resolver
/// delays nobody but those who wait for this name.
final class Target: Sendable {
  private struct State {
    var book = AddressBook()
    var loop: Endpoint?
    var hasSaidLoop = false
    var hasSaidFailure = false
    var refusal: String?
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
  private let lookUp: LookUp
  private let loop: @Sendable ([ZonedEndpoint]) -> Endpoint?

  /// What finds the addresses of a name; it may take long.
  typealias LookUp = @Sendable (String, UInt16) throws(NameResolution.Failure) -> [ZonedEndpoint]

  /// Prepares to look up `host`, which an address need not be. `loop` finds what leads back to the pipe.
  init(
    host: String, port: UInt16, lookUp: @escaping LookUp = NameResolution.endpoints,
    loop: @escaping @Sendable ([ZonedEndpoint]) -> Endpoint?
  ) throws(KernelError) {
    self.lookUp = lookUp
    self.host = host
    self.port = port
    self.loop = loop
    waker = try Waker()
    hasAnswered = try Waker()
    var state = State()
    let address = IPAddress(host)
    isFixed = address != nil
    if let address {
      let endpoint = ZonedEndpoint(Endpoint(address: address, port: port))
      state.book.note(.ready([endpoint]), at: .now)
      state.loop = loop([endpoint])
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
          state.book.note(answer, at: .now)
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

  /// What is known at `now`; asks the resolver where that is needed.
  func addresses(at now: Instant) -> AddressBook.Answer {
    if isFixed { return state.withLock { $0.refusal.map(AddressBook.Answer.failed) ?? $0.book.answer } }
    let (answer, asks, refusal) = state.withLock {
      let (answer, asks) = $0.book.addresses(at: now)
      return (answer, asks, $0.refusal)
    }
    if asks { waker.wake() }
    return refusal.map(AddressBook.Answer.failed) ?? answer
  }

  /// Has no address from now on, whatever is looked up, because of `reason`; nil ends that.
  func refuse(_ reason: String?) { state.withLock { $0.refusal = reason } }

  /// Whether it has no address because of a reason that was given.
  var isRefused: Bool { state.withLock { $0.refusal != nil } }

  /// Why clients are refused whatever the target does.
  enum RefusalReason: Equatable {
    /// This leads back to the pipe.
    case loop(Endpoint)
    /// There is no address, and why.
    case unresolvable(String)
  }

  /// Why clients are refused, if they are and nobody has asked for that before.
  func takeRefusalReason() -> RefusalReason? {
    state.withLock { state in
      // Addresses that were found before stay in use.
      guard case .failed(let why) = state.book.answer else { return nil }
      if let loop = state.loop {
        defer { state.hasSaidLoop = true }
        return state.hasSaidLoop ? nil : .loop(loop)
      }
      defer { state.hasSaidFailure = true }
      return state.hasSaidFailure ? nil : .unresolvable(why)
    }
  }

  /// The addresses that are known, whatever their age; does not ask the resolver.
  var known: [ZonedEndpoint] {
    if case .ready(let endpoints) = state.withLock(\.book.answer) { endpoints } else { [] }
  }

  /// Asks the resolver although the addresses are fresh: none of them answered.
  func distrust(at now: Instant) {
    if !isFixed, state.withLock({ $0.book.distrust(at: now) }) { waker.wake() }
  }

  /// Puts `endpoint` first, because it answered where those before it did not.
  func prefer(_ endpoint: ZonedEndpoint) { state.withLock { $0.book.prefer(endpoint) } }

  /// What leads back to the pipe, once there are addresses, or nil when there are none until `deadline`.
  func firstLoop(until deadline: Instant) -> Endpoint? {
    while true {
      let (isAnswered, loop) = state.withLock { ($0.book.answered != nil, $0.loop) }
      let left = deadline - .now
      if isAnswered || left <= .zero { return loop }
      hasAnswered.wait(timeout: left)
    }
  }

  private func waitUntilWanted() -> Bool {
    while true {
      let (isStopped, isWanted) = state.withLock { ($0.isStopped, $0.book.isWanted) }
      if isStopped { return false }
      if isWanted { return true }
      waker.wait()
    }
  }

  private func resolve() -> (answer: AddressBook.Answer, loop: Endpoint?) {
    do throws(NameResolution.Failure) {
      let endpoints = Dial.interleaved(try lookUp(host, port).filter(\.isUsable))
      if endpoints.isEmpty {
        return (.failed("it has no address, or only link-local ones (fe80::/10) without an interface"), nil)
      }
      guard let loop = loop(endpoints) else { return (.ready(endpoints), nil) }
      return (.failed("\(loop) is where the pipe itself listens"), loop)
    } catch { return (.failed(error.description), nil) }
  }
}
