import Model
import Synchronization

/// The addresses of a host, looked up on a thread of its own: a slow resolver delays nobody but those who wait for this
/// name.
package final class HostAddresses: Sendable {
  private struct State {
    var book = AddressBook()
    var wasFound = false
    var hasSaidFailure = false
    var isStopped = false
  }

  /// What finds the addresses of a name; it may take long.
  package typealias LookUp = @Sendable (String, UInt16) throws(NameResolution.Failure) -> [ZonedEndpoint]

  /// What it is called: a name or an address.
  package let host: String
  /// The port of each address.
  package let port: UInt16

  private let isFixed: Bool
  private let state: Mutex<State>
  private let waker: Waker
  private let lookUp: LookUp

  /// Prepares to look up `host`, which an address need not be.
  package init(
    host: String, port: UInt16, lookUp: @escaping LookUp = NameResolution.endpoints
  ) throws(KernelError) {
    self.host = host
    self.port = port
    self.lookUp = lookUp
    waker = try Waker()
    var state = State()
    let address = IPAddress(host)
    isFixed = address != nil
    if let address {
      state.book.note(.ready([ZonedEndpoint(Endpoint(address: address, port: port))]), at: .now)
    }
    self.state = Mutex(state)
  }

  /// Starts to look up, now and whenever the addresses are wanted and no longer fresh; calls `notify` on another
  /// thread after each answer. An address needs no thread.
  package func start(_ notify: @escaping @Sendable () -> Void) throws(KernelError) {
    if isFixed { return }
    try WorkerThread.start("resolver") { [self] in
      while waitUntilWanted() {
        let answer = resolve()
        state.withLock { state in
          if case .ready = answer { state.wasFound = true }
          state.book.note(answer, at: .now)
        }
        notify()
      }
    }
  }

  /// Ends the thread, after the look-up that is under way.
  package func stop() {
    state.withLock { $0.isStopped = true }
    waker.wake()
  }

  /// What is known at `now`; asks the resolver where that is needed. Addresses that were found once stay in use while
  /// later look-ups fail.
  package func addresses(at now: Instant) -> AddressBook.Answer {
    if isFixed { return state.withLock(\.book.answer) }
    let (answer, asks) = state.withLock { $0.book.addresses(at: now) }
    if asks { waker.wake() }
    return answer
  }

  /// Asks the resolver although the addresses are fresh: none of them answered.
  package func distrust(at now: Instant) {
    if !isFixed, state.withLock({ $0.book.distrust(at: now) }) { waker.wake() }
  }

  /// Puts `endpoint` first, because it answered where those before it did not.
  package func prefer(_ endpoint: ZonedEndpoint) { state.withLock { $0.book.prefer(endpoint) } }

  /// Why no address was ever found, once: nil when that was asked before, and while nothing was looked up.
  package func takeFailure() -> String? {
    state.withLock { state in
      guard case .failed(let why) = state.book.answer, !state.wasFound, !state.hasSaidFailure else {
        return nil
      }
      state.hasSaidFailure = true
      return why
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

  private func resolve() -> AddressBook.Answer {
    do throws(NameResolution.Failure) {
      let endpoints = Dial.interleaved(try lookUp(host, port).filter(\.isUsable))
      if endpoints.isEmpty {
        return .failed("it has no address, or only link-local ones (fe80::/10) without an interface")
      }
      return .ready(endpoints)
    } catch { return .failed(error.description) }
  }
}
