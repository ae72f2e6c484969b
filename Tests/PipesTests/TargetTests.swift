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

  private static let leadsBack = Target.RefusalReason.loop(loop)
  private static let nameless = Target.RefusalReason.unresolvable(
    "it has no address, or only link-local ones (fe80::/10) without an interface")

  /// What the look-ups find, one after the other, and what is said of each.
  @Test(
    arguments: [
      ([loop], [leadsBack]), ([loop, loop, loop], [leadsBack, nil, nil]),
      ([nil, loop, loop], [nameless, leadsBack, nil]), ([nil, nil, other], [nameless, nil, nil]),
      ([loop, nil, loop], [leadsBack, nameless, nil]),
      // Addresses that have worked stay in use.
      ([other, loop, loop], [nil, nil, nil]), ([other, nil, loop], [nil, nil, nil]),
      ([loop, other, loop], [leadsBack, nil, nil]),
    ] as [([Endpoint?], [Target.RefusalReason?])])
  func `why clients are refused is said once, and only if they are`(
    answers: [Endpoint?], says: [Target.RefusalReason?]
  ) async throws {
    let left = Mutex(answers[...])
    let noted = Counter()
    let target = try Target(
      host: "name", port: 80,
      lookUp: { (_, _) throws(NameResolution.Failure) in
        left.withLock { $0.popFirst() }.flatMap(\.self).map { [ZonedEndpoint($0)] } ?? []
      }, loop: { $0.map(\.endpoint).first { $0 == Self.loop } })
    try target.start { noted.value.wrappingAdd(1, ordering: .releasing) }
    var said: [Target.RefusalReason?] = []
    for count in 1...answers.count {
      // When addresses are no longer fresh.
      if count > 1 { _ = target.addresses(at: .now + .seconds(60)) }
      try await eventually("an answer") { noted.value.load(ordering: .acquiring) == count ? () : nil }
      said.append(target.takeRefusalReason())
      #expect(target.takeRefusalReason() == nil)
    }
    #expect(said == says)
    if answers.contains(Self.other) { #expect(target.known.map(\.endpoint) == [Self.other]) }
    target.stop()
  }
}
