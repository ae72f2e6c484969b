import Foundation
import Model
import Testing

import Output

/// What another parser reads in our lines.
@Suite struct JSONValidityTests {
  private func object(_ event: Event) throws -> [String: Any] {
    var renderer = JSONRenderer(origin: sampleOrigin)
    let text = renderer.render(event)
    #expect(text.hasSuffix("}\n") && !text.dropLast().contains("\n"))
    return try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
  }

  private static let names =
    [
      hostileName, "", "\\", "\"", "\\\"", "\u{feff}", "\u{1f600}",
      String(repeating: "\u{1}", count: 100_000),
    ]
    + (UInt8.min...UInt8.max).map { String(decoding: [0x61, $0, 0xe2, 0x28], as: UTF8.self) }

  @Test(arguments: names.indices)
  func `a hostile name comes back as it was`(index: Int) throws {
    // The names themselves are no arguments: they would reach the log.
    let name = Self.names[index]
    let usage = try object(
      .usage(report([process(name, total: (1, 2)), application(name, total: (1, 2), moved: (1, 1))])))
    let rows = try #require(usage["rows"] as? [[String: Any]])
    #expect(rows.count == 2)
    for row in rows { #expect(scalars(row["name"]) == Array(name.unicodeScalars)) }

    let raised = try object(.alert(alert(.firing, subject: name, rule: name)))
    #expect(scalars(raised["subject"]) == Array(name.unicodeScalars))
    #expect(scalars(raised["rule"]) == Array(name.unicodeScalars))

    let warning = try object(.warning(Warning(code: name, text: name), at: sampleTime))
    #expect(scalars(warning["text"]) == Array(name.unicodeScalars))
  }

  @Test func `no control character of any kind reaches the line`() {
    var renderer = JSONRenderer(origin: sampleOrigin)
    let text = renderer.render(.usage(report([process(hostileName, total: (1, 2))])))
    for scalar in text.unicodeScalars.dropLast() {
      let category = scalar.properties.generalCategory
      #expect(![.control, .format, .lineSeparator, .paragraphSeparator].contains(category))
    }
    #expect(text.contains(#""a\"b\\c\u001b[2J\u000a\u0009\u000d\u0007\u007f\u009bé\u202e\u2028\u2029\u200b"#))
    #expect(text.contains(#"\udb40\udc01日本 🙂\u0000</script>""#))
  }

  @Test(arguments: [
    (Rate.bytesPerSecond(.infinity), Rate.bytesPerSecond(.nan)),
    (.bytesPerSecond(1e300), .bytesPerSecond(-0.04)),
  ])
  func `a number that JSON has no word for is null`(value: Rate, threshold: Rate) throws {
    var raised = alert(.firing)
    (raised.value, raised.threshold) = (value, threshold)
    let parsed = try object(.alert(raised))
    #expect((parsed["value"] is NSNull) == !value.bytesPerSecond.isFinite)
    #expect((parsed["threshold"] is NSNull) == !threshold.bytesPerSecond.isFinite)
  }

  private func scalars(_ value: Any?) -> [Unicode.Scalar] {
    Array((value as? String ?? "missing").unicodeScalars)
  }
}
