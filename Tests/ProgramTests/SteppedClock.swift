import Foundation
import Lab

/// The clocks of a program under test, moved without touching the machine's.
struct SteppedClock {
  /// How far tests set the wall clock.
  static let hour = Duration.seconds(3600)
  /// Forwards, and backwards.
  static let hourEitherWay: [Duration] = [hour, .zero - hour]
  /// Seconds: longer than any test, and much shorter than an hour.
  static let slack = 600.0

  /// What runs a program by these clocks.
  let wrapper: [String]

  private let folder: ScratchFolder
  private let file: FileHandle

  /// Makes clocks that are right so far.
  init() async throws {
    folder = try ScratchFolder()
    let source = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures/clock.c").path
    let library = "\(folder.path)/clock.so"
    try await run(["cc", "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", library, source])
    let steps = try folder.write(String(repeating: "\0", count: 16), to: "steps")
    file = try FileHandle(forWritingTo: URL(filePath: steps))
    wrapper = ["env", "LD_PRELOAD=\(library)", "CLOCK_STEPS=\(steps)"]
  }

  /// Sets the wall clock this far from the machine's.
  func setWallClock(by step: Duration) throws { try write(step, at: 0) }

  /// Lets so much time have passed while all stood still, as after a suspend.
  func suspend(for time: Duration) throws {
    try write(time, at: 8)
    try setWallClock(by: time)
  }

  private func write(_ step: Duration, at offset: UInt64) throws {
    let nanoseconds = Int64(step / .nanoseconds(1))
    try file.seek(toOffset: offset)
    // One write of eight bytes, the lowest first.
    try file.write(contentsOf: Data((0..<8).map { UInt8(truncatingIfNeeded: nanoseconds >> (8 * $0)) }))
  }
}

/// A server in B, to which senders of A drip.
struct ClockStage {
  let lab: Topology
  let server: Traffic
  let port: Int
  let clock: SteppedClock

  init() async throws {
    lab = try await MonitorAccountingTests.readyTopology()
    server = try Traffic("tcp-serve", in: lab.b)
    port = try await server.ready()
    clock = try await SteppedClock()
  }

  func drip(_ rate: Int, _ note: String) throws -> Traffic {
    try Traffic(
      "tcp 10.77.1.2 \(port) --rate \(rate) --send 100000000000 --note \(note)", in: lab.a)
  }
}
