import Foundation

/// Recorded ctnetlink messages.
enum ConntrackFixture {
  /// The bytes of each message, its nlmsghdr included.
  static let messages: [[UInt8]] = {
    guard let url = Bundle.module.url(forResource: "Fixtures/conntrack_entries", withExtension: "hex"),
      let text = try? String(contentsOf: url, encoding: .utf8)
    else { return [] }
    return text.components(separatedBy: "\n\n").map(bytes(ofBlock:)).filter { !$0.isEmpty }
  }()

  /// The attributes of a message: what follows nlmsghdr.
  static func payload(_ message: [UInt8]) -> [UInt8] { Array(message.dropFirst(16)) }

  private static func bytes(ofBlock block: String) -> [UInt8] {
    var digits: [Character] = []
    for line in block.split(separator: "\n") { digits += line.prefix { $0 != "#" }.filter(\.isHexDigit) }
    return stride(from: 0, to: digits.count - 1, by: 2).compactMap {
      UInt8(String(digits[$0...$0 + 1]), radix: 16)
    }
  }
}

/// A generator whose numbers are the same in every run.
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }
}
