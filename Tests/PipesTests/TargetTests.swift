import Lab
import Model
import Synchronization
import SystemRuntime
import Testing

@testable import Pipes

/// A name whose addresses change, with a thread that looks it up.
@Suite(.timeLimit(.minutes(10))) struct TargetTests {
  private static let loop = Endpoint(address: IPAddress(v4: 0x7f00_0001), port: 80)
  private static let other = Endpoint(address: IPAddress(v4: 0xc000_0201), port: 80)

  /// What the look-ups find, one after the other, and which of them says that clients are refused.
  @Test(
    arguments: [
      ([loop], [true]), ([loop, loop, loop], [true, false, false]),
      ([nil, loop, loop], [false, true, false]),
      ([loop, nil, loop], [true, false, false]),
      // Addresses that have worked stay in use.
      ([other, loop, loop], [false, false, false]), ([other, nil, loop], [false, false, false]),
      ([loop, other, loop], [true, false, false]),
    ] as [([Endpoint?], [Bool])])
  func `that it leads to itself is said once, and only if clients are refused for it`(
    answers: [Endpoint?], says: [Bool]
  ) async throws {
    let left = Mutex(answers[...])
    let noted = Counter()
    let target = try Target(
      host: "name", port: 80,
      lookUp: { (_, _) throws(NameResolution.Failure) in
        left.withLock { $0.popFirst() }.flatMap(\.self).map { [ZonedEndpoint($0)] } ?? []
      }, loop: { $0.map(\.endpoint).first { $0 == Self.loop } })
    try target.start { noted.value.wrappingAdd(1, ordering: .releasing) }
    var said: [Bool] = []
    for count in 1...answers.count {
      // When addresses are no longer fresh.
      if count > 1 { _ = target.addresses(at: .now + .seconds(60)) }
      try await eventually("an answer") { noted.value.load(ordering: .acquiring) == count ? () : nil }
      said.append(target.takeLoop() != nil)
      #expect(target.takeLoop() == nil)
    }
    #expect(said == says)
    if answers.contains(Self.other) { #expect(target.known.map(\.endpoint) == [Self.other]) }
    target.stop()
  }
}
