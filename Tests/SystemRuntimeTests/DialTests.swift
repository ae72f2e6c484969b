import Model
import SystemRuntime
import SystemPackage
import Testing

@Suite struct DialTests {
  private let start = Instant.now
  private func after(_ milliseconds: Int) -> Instant { start + .milliseconds(milliseconds) }

  @Test func `the second address is tried 250 ms after the first`() {
    var dial = Dial(count: 3, at: start)
    #expect(dial.advance(to: start) == .start(0))
    #expect(dial.advance(to: start) == .wait)
    #expect(dial.nextAttempt == after(250))
    #expect(dial.advance(to: after(249)) == .wait)
    #expect(dial.advance(to: after(250)) == .start(1))
    #expect(dial.nextAttempt == after(500))
    #expect(dial.advance(to: after(500)) == .start(2))
    #expect(dial.nextAttempt == nil)
    #expect(dial.advance(to: after(9000)) == .wait)
    #expect(dial.connected(1) == .use(1))
    #expect(dial.nextAttempt == nil)
  }

  @Test func `a failure starts the next at once`() {
    var dial = Dial(count: 2, at: start)
    #expect(dial.advance(to: start) == .start(0))
    #expect(dial.failed(.connectionRefused, at: after(1)) == .start(1))
    #expect(dial.failed(.networkUnreachable, at: after(2)) == .giveUp(.networkUnreachable))
  }

  @Test func `it gives up when the last attempt has failed, not before`() {
    var dial = Dial(count: 2, at: start)
    _ = dial.advance(to: start)
    #expect(dial.advance(to: after(250)) == .start(1))
    #expect(dial.failed(.connectionRefused, at: after(300)) == .wait)
    #expect(dial.failed(.timedOut, at: after(400)) == .giveUp(.timedOut))
  }

  @Test func `a host without addresses cannot be reached`() {
    var dial = Dial(count: 0, at: start)
    #expect(dial.nextAttempt == nil)
    #expect(dial.advance(to: start) == .giveUp(.hostIsDown))
  }

  @Test func `of very many addresses the first are tried`() {
    var dial = Dial(count: 1000, at: start)
    var started = 0
    var action = dial.advance(to: start)
    while case .start = action {
      started += 1
      action = dial.failed(.connectionRefused, at: start)
    }
    #expect(started == Dial.addressLimit)
    #expect(action == .giveUp(.connectionRefused))
  }

  @Test(arguments: [
    ([], []),
    (["10.0.0.1"], ["10.0.0.1"]),
    (["::1", "::2", "10.0.0.1"], ["::1", "10.0.0.1", "::2"]),
    (["10.0.0.1", "10.0.0.2", "10.0.0.3", "::1"], ["10.0.0.1", "::1", "10.0.0.2", "10.0.0.3"]),
    (["::1", "10.0.0.1", "10.0.0.2", "::2"], ["::1", "10.0.0.1", "::2", "10.0.0.2"]),
  ])
  func `the families alternate`(given: [String], ordered: [String]) {
    let endpoints = given.compactMap { IPAddress($0) }.map { ZonedEndpoint(Endpoint(address: $0, port: 1)) }
    #expect(Dial.interleaved(endpoints).map(\.endpoint.address.description) == ordered)
  }
}
