import Lab
import Model
import SystemRuntime
import Testing

@testable import Probes

/// An ICMP socket with what waits for it, in a namespace of its own.
@Suite(.needs(.namespaces)) struct EchoChannelTests {
  private struct Row: Sendable, CustomTestStringConvertible {
    var mtu: Int
    var payload: Int
    var testDescription: String { "\(payload) bytes by an interface of \(mtu)" }
  }

  /// A refusal would be an error of the path, though all that is wrong is that less is done for each request.
  @Test(arguments: [Row(mtu: 65_536, payload: 41), Row(mtu: 1500, payload: 2000), Row(mtu: 68, payload: 41)])
  private func `at a high rate what is too long for the interface is still cut and answered`(
    row: Row
  ) async throws {
    let namespace = try await NetworkNamespace()
    _ = try await namespace.run("ip link set lo mtu \(row.mtu)")
    let (isFast, refused, answers) = try await namespace.inside {
      let start = Instant.now
      let channel = try EchoChannel(.v4, EchoPacket(secret: 1), identifier: 77, at: start)
      var buffer = EchoBuffer()
      var (refused, answers): (Int, [EchoToken: Int]) = (0, [:])
      // After a second of 2,100 requests the rate is high; those that follow are sent with that.
      for (round, (count, passed)) in [(2100, 0.5), (100, 1), (100, 1.5)].enumerated() {
        for number in 0..<count {
          channel.add(
            EchoToken(target: 1, round: UInt16(round), number: UInt16(number)),
            to: IPAddress(v4: 0x7f00_0001),
            zone: 0, payload: row.payload)
          guard number % 50 == 49 else { continue }
          channel.flush {
            RoundTripClock.Reading(instant: start + .seconds(passed), wall: 0)
          } _: {
            if $0.refusal != nil { refused += 1 }
          }
          channel.receive(errors: true, into: &buffer) { token, message in
            if case .reply = message { answers[token, default: 0] += 1 }
            if case .error = message { refused += 1 }
          }
        }
      }
      return (channel.isFast, refused, answers)
    }
    #expect(isFast && refused == 0)
    #expect(answers.count == 2300 && answers.values.allSatisfy { $0 == 1 })
  }
}
