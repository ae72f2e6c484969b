import Model
import Testing

@Suite struct UsageTests {
  @Test func `directions are added each on its own`() {
    var usage = Usage(received: 1, sent: 20)
    usage += Usage(received: 300, sent: 4000)
    #expect(usage == Usage(received: 301, sent: 4020))
    #expect(usage.sum == 4321)
    #expect(usage.reversed == Usage(received: 4020, sent: 301))
    #expect(usage + .zero == usage)
  }

  @Test func `a counter wraps as the kernel's does`() {
    #expect(Usage(received: .max, sent: 0) + Usage(received: 2, sent: 0) == Usage(received: 1, sent: 0))
    #expect(Usage(received: .max, sent: 3).sum == 2)
  }

  @Test(arguments: [(0, 0, true), (1, 0, false), (0, 1, false)] as [(UInt64, UInt64, Bool)])
  func `nothing moved is zero in both directions`(received: UInt64, sent: UInt64, isZero: Bool) {
    #expect(Usage(received: received, sent: sent).isZero == isZero)
  }

  @Test(
    arguments: [
      (Duration.seconds(1), 1000, 500), (.seconds(2), 500, 250), (.milliseconds(500), 2000, 1000),
      (.seconds(0), 0, 0), (.seconds(-1), 0, 0), (.microseconds(1), 1e9, 5e8), (nil, 0, 0),
    ] as [(Duration?, Double, Double)])
  func `a rate needs a time`(interval: Duration?, received: Double, sent: Double) {
    let rates = Usage(received: 1000, sent: 500).rates(over: interval)
    #expect(abs(rates.received.bytesPerSecond - received) <= received * 1e-12)
    #expect(abs(rates.sent.bytesPerSecond - sent) <= sent * 1e-12)
  }

  @Test func `a kB of bwmon's files is 1024 bytes`() {
    #expect(Rate.kibibytesPerSecond(50) == .bytesPerSecond(51_200))
    #expect(Rate.bytesPerSecond(51_200).kibibytesPerSecond == 50)
    #expect(Rate.zero < .bytesPerSecond(0.5))
  }

  @Test(
    arguments: [
      (Duration.milliseconds(1500), 1.5), (.zero, 0), (.milliseconds(-250), -0.25),
      (.seconds(1 << 40), 1_099_511_627_776),
    ] as [(Duration, Double)])
  func `a duration is read in seconds`(duration: Duration, seconds: Double) {
    #expect(duration.inSeconds == seconds)
  }
}
