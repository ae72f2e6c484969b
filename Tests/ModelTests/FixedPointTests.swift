import Foundation
import Testing

import Model

@Suite struct FixedPointTests {
  @Test(arguments: [
    (0.0, 2, "0.00"), (-0.0, 2, "-0.00"), (0.5, 0, "0"), (1.5, 0, "2"), (2.5, 0, "2"), (0.125, 2, "0.12"),
    (0.375, 2, "0.38"), (1.005, 2, "1.00"), (2.675, 2, "2.67"), (246.9, 2, "246.90"), (0.994999, 2, "0.99"),
    (0.995, 2, "0.99"), (999.995, 2, "1000.00"), (1e15, 2, "1000000000000000.00"),
    (9_007_199_254_740_991, 3, "9007199254740991.000"), (9_007_199_254_740_992, 2, "9007199254740992.00"),
    (1e20, 1, "100000000000000000000.0"), (.leastNonzeroMagnitude, 3, "0.000"), (-123.456, 1, "-123.5"),
    (0.05, 1, "0.1"), (-9_007_199_254_740_991, 9, "-9007199254740991.000000000"),
    (1e15, 9, "1000000000000000.000000000"),
    (0.000_000_000_5, 9, "0.000000001"), (1.0 / 3, 6, "0.333333"), (.infinity, 2, "inf"), (.nan, 2, "nan"),
  ])
  func `digits are printf's`(value: Double, decimals: Int, text: String) {
    #expect(value.fixed(decimals) == text)
  }

  /// Times in milliseconds with three and six decimals, ties among them.
  @Test func `figures of probes are printf's`() {
    var state: UInt64 = 7
    for _ in 0..<20_000 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      let nanoseconds = (state >> 20) % [1000, 1_000_000, 100_000_000_000][Int(state >> 62) % 3]
      for value in [Double(nanoseconds) / 1e6, Double(nanoseconds) / 1024, Double(nanoseconds) / 3] {
        #expect(value.fixed(3) == String(format: "%.3f", value))
        #expect(value.fixed(6) == String(format: "%f", value))
      }
    }
  }

  /// Any bits of numbers below 2^53, subnormal ones among them, and those just beside the edges of what 64 bits hold.
  @Test func `any digits are printf's`() {
    var state: UInt64 = 11
    for index in 0..<40_000 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      // Half of them near one: where shifts are of 64 bits or a few less.
      let exponent = index % 2 == 0 ? (state >> 53) % 1076 : 1000 + (state >> 53) % 60
      let value = Double(
        sign: state & 1 == 0 ? .plus : .minus, exponentBitPattern: UInt(exponent),
        significandBitPattern: index % 3 == 0 ? state & 0xffff << 36 : state >> 12)
      let decimals = Int(state >> 30) % 10
      #expect(value.fixed(decimals) == String(format: "%.\(decimals)f", value))
    }
  }

  @Test(arguments: [
    (0x1p127, "170141183460469231731687303715884105728.0"),
    (0x1p128, "340282366920938463463374607431768211456.0"),
    (
      -1e60,
      "-999999999999999949387135297074018866963645011013410073083904.0"
    ),
  ])
  func `digits of huge numbers are exact`(value: Double, text: String) {
    #expect(value.fixed(1) == text)
  }

  @Test func `the largest number has all its digits`() {
    let text = Double.greatestFiniteMagnitude.fixed(0)
    #expect(text.utf8.count == 309)
    #expect(text.hasPrefix("179769313486231570814527423731704356798070567525844996598917"))
    #expect(text.hasSuffix("826204144723168738177180919299881250404026184124858368"))
    #expect(Double(text) == .greatestFiniteMagnitude)
  }
}
