import Foundation
import SystemRuntime
import Testing

@testable import Tstat

/// Expected values are what Python 3.11 prints for `round(float(text), 3)` or `int(text)`.
@Suite struct LogNumberTests {
  private static func text(_ number: LogNumber) -> String {
    var text = ByteBuffer()
    text.append(number)
    return String(decoding: text.take(), as: UTF8.self)
  }

  @Test(arguments: [
    ("0", "0"), ("7", "7"), ("-7", "-7"), ("+7", "7"), ("007", "7"),
    ("9223372036854775807", "9223372036854775807"),
    ("0.000000", "0.0"), ("-0.0", "-0.0"), ("1.5", "1.5"), ("1.", "1.0"), (".5", "0.5"),
    ("0.1234", "0.123"),
    ("0.0005", "0.001"), ("0.000500", "0.001"), ("2.0005", "2.001"), ("2.0015", "2.002"),
    ("2.675500", "2.675"),
    ("1234567.891500", "1234567.891"), ("90037.999000", "90037.999"),
    ("1591902179768.059082", "1591902179768.059"),
    ("999999999999.9995", "1000000000000.0"), ("123456789012345678.5", "1.2345678901234568e+17"),
    ("1e3", "1000.0"),
    ("1e22", "1e+22"), ("0.0004", "0.0"), ("0.999600", "1.0"),
    ("12345678901234567890.0", "1.2345678901234567e+19"),
  ])
  func `a number is read and written as the original does`(text: String, expected: String) {
    #expect(Self.text(LogNumber(Array(text.utf8).span)) == expected)
  }

  @Test(arguments: ["nan", "-nan", "NaN", "inf", "-inf", "1e999", "infinity"])
  func `what is no finite number is told apart`(text: String) {
    #expect(LogNumber(Array(text.utf8).span) == .notFinite)
  }

  @Test(arguments: [
    "", "-", "+", ".", "-.", "1.2.3", "0x10", "1,5", "a", "1 2", "9223372036854775808", "1_0", "é", "--1",
    "1-",
  ])
  func `what is no number is not read`(text: String) {
    #expect(LogNumber(Array(text.utf8).span) == .unreadable)
  }

  @Test func `a text of a hundred thousand digits is read within a bound`() {
    #expect(LogNumber([UInt8](repeating: UInt8(ascii: "9"), count: 100_000).span) == .unreadable)
  }

  @Test(arguments: [
    (0.125, 0.12), (0.375, 0.38), (2.5, 2.5), (1.005, 1.0), (1.015, 1.01), (1e300, 1e300), (-0.125, -0.12),
  ])
  func `the exact middle goes to the even neighbour, as round() has it`(value: Double, expected: Double) {
    #expect(LogNumber.rounded(value, decimals: 2) == expected)
  }

  @Test func `values of any size are rounded as printf does`() {
    var generator = SystemRandomNumberGenerator()
    for _ in 0..<20_000 {
      let value =
        Double.random(in: 0..<1, using: &generator) * pow(10, Double.random(in: -6..<18, using: &generator))
      let near = (value * 1000).rounded() / 1000 + 0.005
      for value in [value, near] {
        #expect(LogNumber.rounded(value, decimals: 2) == Double(String(format: "%.2f", value)), "\(value)")
      }
    }
  }

  @Test func `the quick way of reading a fraction agrees with the general one`() {
    var generator = SystemRandomNumberGenerator()
    for _ in 0..<20_000 {
      let whole =
        UInt64.random(in: 0..<10_000_000_000, using: &generator)
        >> UInt64.random(in: 0..<33, using: &generator)
      let fraction = String(UInt64.random(in: 1_000_000..<2_000_000, using: &generator)).dropFirst()
      let text = "\(whole).\(fraction)"
      // An exponent takes the general way.
      #expect(LogNumber(Array(text.utf8).span) == LogNumber(Array("\(text)e0".utf8).span), "\(text)")
    }
  }
}
