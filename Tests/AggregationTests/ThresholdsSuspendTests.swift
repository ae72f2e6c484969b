import Model
import Testing

/// A44: a tick that comes an hour late, since the host slept or the program was stopped. Its bytes are spread over
/// all of it.
@Suite struct ThresholdsSuspendTests {
  private static let hour = 3600.0

  @Test func `what fires is resolved by the sleep, and has to fill its window again`() throws {
    var watching = try Watching("[r]\nin_threshold=100\ninterval=10")
    for _ in 0..<20 { watching.tick(190) }
    // A second of it was awake.
    watching.tick(190 / Self.hour, seconds: Self.hour)
    for _ in 0..<20 { watching.tick(190) }
    #expect(
      watching.reported == ["10 firing received app", "3620 below received app", "3626 firing received app"])
    #expect(watching.alerts.last?.value.kibibytesPerSecond ?? 0 < 121)
  }

  @Test func `a window that was filled in part is not full of what moved before the sleep`() throws {
    var watching = try Watching("[r]\nin_threshold=100\ninterval=30")
    for _ in 0..<20 { watching.tick(1000) }
    watching.tick(0, seconds: Self.hour)
    #expect(watching.reported.isEmpty)
    for _ in 0..<3 { watching.tick(1000) }
    #expect(watching.reported.isEmpty)
    watching.tick(1000)
    #expect(watching.reported == ["3624 firing received app"])
  }

  @Test func `neither for nor keep_firing_for is filled by a sleep on the other side of the limit`() throws {
    var rising = try Watching("[r]\nin_threshold=100\ninterval=1\nfor=60")
    for _ in 0..<50 { rising.tick(200) }
    rising.tick(0, seconds: Self.hour)
    for _ in 0..<59 { rising.tick(200) }
    #expect(rising.reported.isEmpty)
    rising.tick(200)
    #expect(rising.reported == ["3710 firing received app"])

    var falling = try Watching("[r]\nin_threshold=100\ninterval=1\nkeep_firing_for=60")
    falling.tick(200)
    for _ in 0..<50 { falling.tick(0) }
    falling.tick(200, seconds: Self.hour)
    for _ in 0..<59 { falling.tick(0) }
    #expect(falling.reported == ["1 firing received app"])
    falling.tick(0)
    #expect(falling.reported == ["1 firing received app", "3711 below received app"])
  }

  @Test func `what goes on while nobody looks is reported again once, not once for each repeat`() throws {
    var watching = try Watching("[r]\nin_threshold=100\ninterval=1\nrepeat=600")
    watching.tick(200)
    watching.tick(200, seconds: Self.hour)
    for _ in 0..<599 { watching.tick(200) }
    #expect(watching.reported == ["1 firing received app", "3601 repeated-2 received app"])
    watching.tick(200)
    #expect(watching.reported.last == "4201 repeated-3 received app")
  }

  @Test func `who ends during a sleep is gone once`() throws {
    var watching = try Watching("[r]\nin_threshold=100\ninterval=1")
    watching.tick(200)
    watching.tick(0, pids: [], seconds: Self.hour)
    for _ in 0..<5 { watching.tick(rows: []) }
    #expect(watching.reported == ["1 firing received app", "3601 gone received app"])
  }
}
