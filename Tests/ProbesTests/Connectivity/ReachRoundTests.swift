import Model
import SystemRuntime
import SystemPackage
import Testing

@testable import Probes

@Suite struct ReachRoundTests {
  private let start = Instant.now
  private func after(_ milliseconds: Int) -> Instant { start + .milliseconds(milliseconds) }
  private func place(_ host: Int, _ address: Int) -> ReachRound.Place {
    ReachRound.Place(host: host, address: address)
  }
  private func round(_ hosts: Int) -> ReachRound {
    ReachRound(hosts: hosts, timeout: .seconds(2), at: start)
  }

  @Test func `all hosts are tried at once, and the first connection is enough`() {
    var round = round(3)
    #expect(round.resolving == [0, 1, 2])
    #expect(round.found(1, of: 0, at: start) == [place(0, 0)])
    #expect(round.found(1, of: 1, at: start) == [place(1, 0)])
    #expect(round.resolving == [2])
    #expect(round.failed(place(0, 0), .connectionRefused, at: after(1)) == [])
    #expect(round.outcome == nil)
    round.connected()
    #expect(round.outcome == .reachable)
    #expect(round.advance(to: after(5000)) == [])
    #expect(round.outcome == .reachable)
  }

  @Test func `it is unreachable only when all have failed`() {
    var round = round(2)
    _ = round.found(1, of: 0, at: start)
    _ = round.found(1, of: 1, at: start)
    _ = round.failed(place(1, 0), .networkUnreachable, at: after(1))
    #expect(round.outcome == nil)
    _ = round.failed(place(0, 0), .connectionRefused, at: after(2))
    #expect(round.outcome == .unreachable)
  }

  @Test func `the second address follows after 250 ms, or at once when the first has failed`() {
    var slow = round(1)
    #expect(slow.found(2, of: 0, at: start) == [place(0, 0)])
    #expect(slow.nextMoment == after(250))
    #expect(slow.advance(to: after(249)) == [])
    #expect(slow.advance(to: after(250)) == [place(0, 1)])
    #expect(slow.nextMoment == after(2000))

    var refused = round(1)
    _ = refused.found(2, of: 0, at: start)
    #expect(refused.failed(place(0, 0), .networkUnreachable, at: after(1)) == [place(0, 1)])
    #expect(refused.failed(place(0, 1), .networkUnreachable, at: after(2)) == [])
    #expect(refused.outcome == .unreachable)
  }

  @Test func `the time limit is that of the whole, names included`() {
    var round = round(2)
    _ = round.found(1, of: 0, at: after(1900))
    #expect(round.resolving == [1])
    #expect(round.nextMoment == after(2000))
    #expect(round.advance(to: after(1999)) == [])
    #expect(round.outcome == nil)
    #expect(round.advance(to: after(2000)) == [])
    #expect(round.outcome == .unreachable)
  }

  @Test func `without a limit it ends when all have failed, and never before`() {
    var round = ReachRound(hosts: 1, timeout: nil, at: start)
    #expect(round.nextMoment == nil)
    _ = round.found(2, of: 0, at: start)
    #expect(round.nextMoment == after(250))
    #expect(round.advance(to: after(250)) == [place(0, 1)] && round.nextMoment == nil)
    #expect(round.advance(to: start + .seconds(1_000_000)) == [] && round.outcome == nil)
    _ = round.failed(place(0, 0), .timedOut, at: after(130_000))
    #expect(round.outcome == nil)
    _ = round.failed(place(0, 1), .timedOut, at: after(130_250))
    #expect(round.outcome == .unreachable)
  }

  @Test func `a name without addresses is a host that has failed`() {
    var round = round(2)
    round.notFound(0)
    #expect(round.outcome == nil && round.resolving == [1])
    #expect(round.found(0, of: 1, at: start) == [])
    #expect(round.outcome == .unreachable)
  }

  @Test(arguments: [Errno.tooManyOpenFiles, .noMemory, .tooManyOpenFilesInSystem])
  func `a shortage of this host says nothing of the network`(error: Errno) {
    var round = round(2)
    _ = round.found(1, of: 0, at: start)
    _ = round.found(1, of: 1, at: start)
    _ = round.failed(place(0, 0), error, at: start)
    _ = round.failed(place(1, 0), .connectionRefused, at: start)
    #expect(round.outcome == .unknown(error))
  }

  @Test func `so does that no local port is free`() {
    var round = round(1)
    _ = round.found(1, of: 0, at: start)
    _ = round.failed(place(0, 0), .addressNotAvailable, lacksPort: true, at: start)
    #expect(round.outcome == .unknown(.addressNotAvailable))
  }

  @Test(arguments: [
    Errno.addressNotAvailable, .addressFamilyNotSupported, .networkUnreachable, .noRouteToHost, .notPermitted,
    .timedOut,
  ])
  func `all else is the network`(error: Errno) {
    var round = round(1)
    _ = round.found(1, of: 0, at: start)
    _ = round.failed(place(0, 0), error, at: start)
    #expect(round.outcome == .unreachable)
  }
}
