import Model
import Synchronization
import SystemPackage
import SystemRuntime
import Testing

@testable import Probes

/// Checks over this host's loopback, with a resolver of the test's own.
@Suite(.timeLimit(.minutes(5))) struct ConnectionCheckTests {
  private static let loopback = IPAddress(v4: 0x7f00_0001)

  /// Does one check to its end.
  private static func outcome(
    _ references: [ReferenceEndpoint], timeout: Duration = .seconds(60),
    unresolvable: inout [ConnectionCheck.Unresolvable],
    lookUp: @escaping HostAddresses.LookUp = { _, _ throws(NameResolution.Failure) in [] }
  ) throws -> ConnectionCheck.Outcome {
    let poller = try Poller()
    let waker = try Waker()
    try poller.add(waker, token: 0)
    var check = try ConnectionCheck(references, timeout: timeout, firstToken: 1, lookUp: lookUp) {
      waker.wake()
    }
    var events = PollEvents(capacity: 8)
    var outcome = check.begin(at: .now, poller)
    while true {
      if let outcome {
        unresolvable = check.takeUnresolvable()
        #expect(check.takeUnresolvable().isEmpty)
        #expect(check.nextMoment == nil)
        return outcome
      }
      poller.wait(into: &events, timeout: check.nextMoment.map { $0 - .now })
      for index in 0..<events.count where outcome == nil {
        if events[index].token == 0 {
          waker.reset()
        } else {
          outcome = check.changed(events[index].token, events[index].readiness, at: .now, poller)
        }
      }
      if outcome == nil { outcome = check.advance(to: .now, poller) }
    }
  }

  private static func outcome(
    _ references: [ReferenceEndpoint], timeout: Duration = .seconds(60),
    lookUp: @escaping HostAddresses.LookUp = { _, _ throws(NameResolution.Failure) in [] }
  ) throws -> ConnectionCheck.Outcome {
    var unresolvable: [ConnectionCheck.Unresolvable] = []
    return try outcome(references, timeout: timeout, unresolvable: &unresolvable, lookUp: lookUp)
  }

  /// A port where nobody listens, for as long as its owner is bound to it.
  private static func unused() throws -> (TCPListener, Endpoint) {
    let listener = try TCPListener(on: Endpoint(address: Self.loopback, port: 0))
    // One that listens on another address of the loopback: the port is not given to others, and refuses on this one.
    return (listener, Endpoint(address: IPAddress("127.0.0.9") ?? Self.loopback, port: listener.local.port))
  }

  private static func reference(_ endpoint: Endpoint) throws -> ReferenceEndpoint {
    try ReferenceEndpoint(host: "\(endpoint.address)", port: endpoint.port)
  }

  @Test func `a port that accepts is up, one that refuses is down`() throws {
    let listener = try TCPListener(on: Endpoint(address: Self.loopback, port: 0))
    let (keeper, refusing) = try Self.unused()
    let (good, bad) = (try Self.reference(listener.local), try Self.reference(refusing))
    #expect(try Self.outcome([good]) == .reachable)
    #expect(try Self.outcome([bad]) == .unreachable)
    #expect(try Self.outcome([bad, good]) == .reachable)
    withExtendedLifetime(keeper) {}
  }

  @Test func `of a name the address is used that answers`() throws {
    let listener = try TCPListener(on: Endpoint(address: Self.loopback, port: 0))
    let (keeper, refusing) = try Self.unused()
    let name = try ReferenceEndpoint(host: "name.test", port: 7)
    let places = [ZonedEndpoint(refusing), ZonedEndpoint(listener.local)]
    #expect(try Self.outcome([name]) { _, _ throws(NameResolution.Failure) in places } == .reachable)
    withExtendedLifetime(keeper) {}
  }

  @Test func `a name without an address is down, and is said once`() throws {
    let name = try ReferenceEndpoint(host: "name.test", port: 7)
    var said: [ConnectionCheck.Unresolvable] = []
    #expect(try Self.outcome([name], unresolvable: &said) == .unreachable)
    #expect(said.map(\.host) == ["name.test"])
    #expect(said.first?.reason.contains("no address") == true)
  }

  @Test func `a resolver that does not answer delays the check no longer than its time`() throws {
    let name = try ReferenceEndpoint(host: "name.test", port: 7)
    let gate = try Waker()
    let hasEnded = try Waker()
    let outcome = try Self.outcome([name], timeout: .milliseconds(50)) {
      _, _ throws(NameResolution.Failure) in
      gate.wait()
      hasEnded.wake()
      return []
    }
    #expect(outcome == .unreachable)
    gate.wake()
    hasEnded.wait()
  }

  @Test func `a name that hangs does not hide a reference that answers`() throws {
    let listener = try TCPListener(on: Endpoint(address: Self.loopback, port: 0))
    let name = try ReferenceEndpoint(host: "name.test", port: 7)
    let gate = try Waker()
    let outcome = try Self.outcome([name, try Self.reference(listener.local)]) {
      _, _ throws(NameResolution.Failure) in
      gate.wait()
      return []
    }
    #expect(outcome == .reachable)
    gate.wake()
  }
}
