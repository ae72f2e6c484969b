import Model
import SystemRuntime
import Netfilter
import Testing

@testable import Monitors

@Suite struct PacketSendersTests {
  private static let sender = PacketSocket(inode: 7, etherType: 0)
  private static let ring = PacketSocket(inode: 8, etherType: 3, hasSendRing: true)
  private static let capture = PacketSocket(inode: 9, etherType: 3)

  @Test(
    arguments: [
      ("not long enough", [[sender], [sender]], nil),
      ("one all the time", [[sender], [sender], [sender]], [7]),
      ("one for long", [[], [sender], [sender], [sender]], [7]),
      ("one that came", [[], [sender], [sender]], nil),
      ("one that went", [[sender], [sender], []], nil),
      ("one that went and another came", [[sender], [sender], [ring]], nil),
      ("one that came back as another", [[sender], [], [sender]], nil),
      ("a capture only", [[capture], [capture], [capture]], nil),
      ("a capture with a ring to send", [[ring], [ring], [ring]], [8]),
      ("a capture beside it", [[sender, capture], [capture, sender], [sender, capture]], [7, 9]),
      ("a capture that came", [[sender], [sender], [sender, capture]], nil),
      ("nobody", [[], [], []], nil), ("no reading", [], nil),
    ] as [(String, [[PacketSocket]], Set<UInt64>?)])
  func `candidates were the only ones all the time`(
    name: String, readings: [[PacketSocket]], candidates: Set<UInt64>?
  ) {
    var senders = PacketSenders()
    let start = Instant.now
    for (second, reading) in readings.enumerated() { senders.note(reading, at: start + .seconds(second)) }
    #expect(senders.candidates == candidates, "\(name)")
  }

  /// With ten readings a second, bytes that settle now passed eleven or ten readings ago.
  @Test(arguments: [(9, nil), (10, [7]), (11, [7]), (30, [7])] as [(Int, Set<UInt64>?)])
  func `short intervals ask for as long a time`(count: Int, candidates: Set<UInt64>?) {
    var senders = PacketSenders()
    let start = Instant.now
    senders.note([], at: start)
    for place in 1...count + 1 { senders.note([Self.sender], at: start + .milliseconds(100 * place)) }
    #expect(senders.candidates == candidates)
  }

  @Test(
    arguments: [
      ("one socket", [7], [7: [1]], 1), ("two sockets of one process", [7, 9], [7: [1], 9: [1]], 1),
      ("two processes", [7, 9], [7: [1], 9: [2]], nil), ("a shared socket", [7], [7: [1, 2]], nil),
      ("one without a known holder", [7, 9], [7: [1]], nil), ("nobody known", [7], [:], nil),
      ("no socket", [], [7: [1]], nil),
    ] as [(String, Set<UInt64>, [UInt64: [Int32]], Int32?)])
  func `the owner holds all of them alone`(
    name: String, candidates: Set<UInt64>, holders: [UInt64: [Int32]], owner: Int32?
  ) {
    let found = PacketSenders.owner(
      of: candidates, holders: holders.mapValues { $0.map(Scenario.process) })
    #expect(found == owner.map(Scenario.process), "\(name)")
  }

  @Test(
    arguments: [
      ("all that was sent", Usage(0, 4000), Usage(0, 4000), 4000),
      ("beside other traffic", Usage(0, 4000), Usage(90_000, 10_000), 4000),
      ("as much came in: it passed through", Usage(4000, 4000), Usage(4000, 4000), 0),
      ("some came in", Usage(236, 4236), Usage(500, 5000), 4000),
      ("only received", Usage(4000, 0), Usage(4000, 0), 0),
      ("headers of segments", Usage(100, 4000), Usage(2000, 100_000), 0),
      ("just an eighth", Usage(0, 1000), Usage(0, 8000), 1000),
      ("just less", Usage(0, 999), Usage(0, 8000), 0), ("nothing", .zero, .zero, 0),
    ] as [(String, Usage, Usage, UInt64)])
  func `a sender is given what nothing else explains`(
    name: String, untracked: Usage, interfaces: Usage, share: UInt64
  ) {
    #expect(PacketSenders.share(of: untracked, interfaces: interfaces) == share, "\(name)")
  }
}
