import Lab
import Model
import Testing

@testable import Aggregation

@Suite struct RateWindowTests {
  private static let second: Int64 = 1_000_000_000

  @Test(
    arguments: [
      // Interval in s; (bytes, tick in ms) ...; average in bytes/s.
      (1.0, [(100, 1000)], 100.0), (1, [(100, 1000), (0, 1000)], 0), (10, [(100, 1000)], 10),
      (10, [(100, 10_000)], 10), (10, [(100, 20_000)], 5), (1, [(300, 3000)], 100),
      (2, [(90, 3000), (10, 1000)], 20),
      (1, [(100, 500), (0, 250)], 100), (1, [(100, 500), (0, 750)], 50), (1, [(100, 1000), (60, 300)], 130),
      (0.1, [(100, 1000), (50, 50)], 550),
    ] as [(Double, [(UInt64, Int64)], Double)])
  func `the average weighs the oldest part by what lies inside`(
    interval: Double, ticks: [(UInt64, Int64)], average: Double
  ) {
    var window = RateWindow(interval: Int64(interval * 1e9))
    for (bytes, milliseconds) in ticks {
      window.add(Usage(received: bytes, sent: bytes * 2), over: milliseconds * 1_000_000)
    }
    #expect(abs(window.average.received.bytesPerSecond - average) < 1e-6)
    #expect(abs(window.average.sent.bytesPerSecond - average * 2) < 1e-6)
  }

  @Test(arguments: [Int64(1), 997, 1_000_000, 33_000_000, 1_000_000_000, 3_600_000_000_000])
  func `a window has a bounded number of parts, and a steady rate is exact`(tick: Int64) {
    for interval in [Self.second / 10, Self.second, 60 * Self.second, 86_400 * Self.second] {
      var window = RateWindow(interval: interval)
      // No more ticks than fill the window often, and not for ever where a tick is tiny.
      for _ in 0..<min(20_000, 4 * (interval / tick) + 4) {
        window.add(Usage(received: UInt64(tick), sent: 0), over: tick)
        #expect(window.count <= 67)
      }
      let filled = min(1.0, Double(tick) * Double(min(20_000, 4 * (interval / tick) + 4)) / Double(interval))
      // A part of merged ticks is taken as even, so that a change inside it is off by a part at most.
      #expect(abs(window.average.received.bytesPerSecond / 1e9 - filled) < 0.05)
    }
  }

  @Test func `random ticks stay close to the exact average`() {
    var random = SplitMix64(seed: 7)
    for _ in 0..<50 {
      let interval = Int64.random(in: 1...60, using: &random) * Self.second
      var window = RateWindow(interval: interval)
      var ticks: [(bytes: UInt64, duration: Int64)] = []
      for _ in 0..<400 {
        let duration = Int64.random(in: 1...2000, using: &random) * 1_000_000
        // A rate of 0 to 1000 bytes per millisecond.
        let bytes = UInt64(duration / 1_000_000) * UInt64.random(in: 0...1000, using: &random)
        ticks.append((bytes, duration))
        window.add(Usage(received: bytes), over: duration)
        var left = interval
        var exact = 0.0
        for tick in ticks.reversed() where left > 0 {
          exact += Double(tick.bytes) * min(1, Double(left) / Double(tick.duration))
          left -= tick.duration
        }
        let error = abs(window.average.received.bytesPerSecond - exact / (Double(interval) * 1e-9))
        // One part, of a 32nd of the interval, at the highest rate.
        #expect(error <= 1_000_000 / 32 + 1)
      }
    }
  }

  @Test func `a window is empty when all that moved has left it`() {
    var window = RateWindow(interval: 2 * Self.second)
    #expect(window.isEmpty)
    window.add(Usage(received: 5), over: Self.second)
    window.add(.zero, over: Self.second)
    #expect(!window.isEmpty)
    window.add(.zero, over: Self.second)
    #expect(window.isEmpty && window.average == .zero)
  }

  @Test func `counters near their end do not trap`() {
    var window = RateWindow(interval: Self.second)
    for _ in 0..<5 { window.add(Usage(received: .max, sent: .max), over: Self.second / 2) }
    #expect(window.average.received.bytesPerSecond.isFinite)
  }
}
