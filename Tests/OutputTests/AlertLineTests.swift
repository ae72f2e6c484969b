import Model
import Testing

import Output

@Suite struct AlertLineTests {
  @Test func `a firing alert is the original's line`() {
    #expect(
      AlertLine(sampleAlert()).description
        == "2012-11-01 12:00:00: wget exceeding 'in' bandwidth limit      50.00:     123.45 kB/s (246.90 %)")
  }

  @Test(arguments: [
    (
      Alert.State.firing, Alert.Direction.sent, 0.5, 1000.0,
      "wget exceeding 'out' bandwidth limit    1000.00:       0.50 kB/s (0.05 %)"
    ),
    (
      .repeated(count: 9), .received, 12_345_678.9, 0.01,
      "wget exceeding 'in' bandwidth limit       0.01: 12345678.90 kB/s (123456789000.00 %)"
    ),
    (
      .resolved(.below), .received, 40, 50,
      "wget no longer exceeding 'in' bandwidth limit      50.00:      40.00 kB/s (80.00 %)"
    ),
    (
      .resolved(.gone), .sent, 0, 50,
      "wget no longer exceeding 'out' bandwidth limit      50.00:       0.00 kB/s (0.00 %), the application is gone"
    ),
    (
      .resolved(.removed), .received, 60, 50,
      "wget 'in' bandwidth limit      50.00 kB/s removed by a new configuration"
    ),
    (.firing, .received, 1, 0, "wget exceeding 'in' bandwidth limit       0.00:       1.00 kB/s (inf %)"),
  ])
  func `every state has its line`(
    state: Alert.State, direction: Alert.Direction, value: Double, threshold: Double, text: String
  ) {
    let line = AlertLine(sampleAlert(state, direction: direction, value: value, threshold: threshold))
    #expect(line.description == "2012-11-01 12:00:00: " + text)
  }

  @Test(arguments: [
    (50, String(repeating: "x", count: 50)), (51, String(repeating: "x", count: 47) + "..."),
    (1_000_000, String(repeating: "x", count: 47) + "..."),
  ])
  func `an application of more than 50 characters is cut to 47`(length: Int, shown: String) {
    let line = AlertLine(sampleAlert(subject: String(repeating: "x", count: length))).description
    #expect(line.hasPrefix("2012-11-01 12:00:00: \(shown) exceeding "))
  }

  @Test(arguments: [1, 10, 60, 5000])
  func `a hostile name stays one short printable line`(count: Int) {
    let subject = String(repeating: hostileSubject + "\0\u{301}", count: count)
    let line = AlertLine(sampleAlert(subject: subject, value: 1e300, threshold: 1e-300)).description
    #expect(line.utf8.count < 4096)
    #expect(line.unicodeScalars.allSatisfy { $0.value >= 0x20 && !(0x7f...0x9f).contains($0.value) })
  }
}
